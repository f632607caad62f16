//! What does not fit, in words for whoever sent it: where, and what had to be there. Never what was.

use std::fmt;

use serde::de::{Error, Expected, Unexpected};

/// Boxed: most readers return a word, and hand this through.
#[derive(PartialEq, Eq)]
pub struct Wrong(Box<Told>);

#[derive(PartialEq, Eq)]
struct Told {
    /// `stops[2].lat`; none: the whole.
    path: Option<String>,
    text: String,
}

impl Wrong {
    pub(super) fn new(text: String) -> Self {
        Self(Box::new(Told { path: None, text }))
    }

    /// What no JSON is, or is out of bounds.
    #[cold]
    pub(super) fn json() -> Self {
        Self::new("expected value".to_owned())
    }

    fn must_be(wanted: &dyn Expected) -> Self {
        Self::new(format!("must be {wanted}"))
    }

    /// Names of fields joined by dots; none: the whole.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        self.0.path.as_deref()
    }

    #[must_use]
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// It happened in a field, or in what that holds.
    #[cold]
    pub(super) fn in_field(self, name: &str) -> Self {
        self.inside(name.to_owned())
    }

    #[cold]
    pub(super) fn in_item(self, index: usize) -> Self {
        self.inside(format!("[{index}]"))
    }

    fn inside(mut self, place: String) -> Self {
        self.0.path = Some(match self.0.path.take() {
            None => place,
            Some(path) if path.starts_with('[') => place + &path,
            Some(path) => [place.as_str(), &path].join("."),
        });
        self
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path().unwrap_or("all"))?;
        f.write_str(": ")?;
        f.write_str(self.text())
    }
}

impl fmt::Debug for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Wrong {}

impl Error for Wrong {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self::new(text.to_string())
    }

    fn invalid_type(_: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::must_be(wanted)
    }

    fn invalid_value(_: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::must_be(wanted)
    }

    fn unknown_variant(_: &str, variants: &'static [&'static str]) -> Self {
        Self::new(match variants {
            [] => "has the wrong type".to_owned(),
            [one] => ["must be `", one, "`"].concat(),
            [one, other] => ["must be `", one, "` or `", other, "`"].concat(),
            many => ["must be one of `", &many.join("`, `"), "`"].concat(),
        })
    }

    fn missing_field(name: &'static str) -> Self {
        Self::new(["missing field `", name, "`"].concat())
    }

    fn duplicate_field(name: &'static str) -> Self {
        Self::new(["duplicate field `", name, "`"].concat())
    }
}
