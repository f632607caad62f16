//! Suite `size`: every function as it is deployed, optimised and compressed.

use anyhow::Result;
use xtask::build::{self, Profile};
use xtask::house;

use crate::rows::Size;

pub async fn run() -> Result<Vec<Size>> {
    build::build(&[], Profile::Release).await?;
    let mut rows = Vec::new();
    for function in house::functions()? {
        let size = build::size(&function)?;
        rows.push(Size { suite: "size", case: function.name, raw_bytes: size.raw, gzip_bytes: size.gzip });
    }
    Ok(rows)
}
