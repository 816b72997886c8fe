use std::{
    fmt,
    time::{Duration, UNIX_EPOCH},
};

/// The value of a header; `Display` writes it as it goes over the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderValue {
    /// A whole number.
    Number(u64),
    /// An HTTP date (RFC 9110, section 5.6.7), from seconds since 1970.
    Date(u64),
    /// A percentage with one decimal, from thousandths.
    Percent(u64),
}

/// The last second that has an HTTP date: the end of the year 9999.
const LAST_DATE: u64 = 253_402_300_799;

impl fmt::Display for HeaderValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Number(number) => number.fmt(f),
            Self::Date(seconds) => {
                httpdate::HttpDate::from(UNIX_EPOCH + Duration::from_secs(seconds.min(LAST_DATE))).fmt(f)
            }
            Self::Percent(per_mille) => write!(f, "{}.{}%", per_mille / 10, per_mille % 10),
        }
    }
}
