use std::{
    fmt,
    time::{Duration, UNIX_EPOCH},
};

/// The value of a header; `Display` writes it as it goes over the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderValue(Form);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Number(u64),
    Date(u64),
    Percent(u64),
}

impl HeaderValue {
    pub(crate) const fn number(number: u64) -> Self {
        Self(Form::Number(number))
    }

    /// An HTTP date (RFC 9110, section 5.6.7), from seconds since 1970.
    pub(crate) const fn date(seconds: u64) -> Self {
        Self(Form::Date(seconds))
    }

    /// A percentage, from thousandths.
    pub(crate) const fn percent(per_mille: u64) -> Self {
        Self(Form::Percent(per_mille))
    }
}

/// The last second that has an HTTP date: the end of the year 9999.
const LAST_DATE: u64 = 253_402_300_799;

impl fmt::Display for HeaderValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Form::Number(number) => number.fmt(f),
            Form::Date(seconds) => {
                httpdate::HttpDate::from(UNIX_EPOCH + Duration::from_secs(seconds.min(LAST_DATE))).fmt(f)
            }
            Form::Percent(per_mille) => write!(f, "{}.{}%", per_mille / 10, per_mille % 10),
        }
    }
}
