//! Time as the wire writes it. The clock itself is a port: the edge gives milliseconds.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// RFC 3339 in UTC with `Z`; the epoch for what no calendar can write.
#[must_use]
pub fn rfc3339(unix_ms: u64) -> String {
    let instant = OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_ms) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    instant.format(&Rfc3339).unwrap_or_default()
}
