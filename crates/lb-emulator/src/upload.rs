//! The form that uploads a file.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, header};
use multer::Multipart;

use crate::{fields::missing, problem::Problem};

/// A file as it was sent.
#[derive(Debug, PartialEq)]
pub(crate) struct Upload {
    pub(crate) name: String,
    pub(crate) purpose: String,
    pub(crate) content: Bytes,
}

impl Upload {
    /// Reads a `multipart/form-data` body. Fields other than `file` and `purpose` change nothing.
    pub(crate) async fn read(headers: &HeaderMap, body: Bytes) -> Result<Self, Problem> {
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let boundary = multer::parse_boundary(content_type).map_err(|_| no_form())?;
        let mut form = Multipart::new(stream::iter([Ok::<_, Infallible>(body)]), boundary);
        let (mut file, mut purpose) = (None, None);
        while let Some(field) = form.next_field().await.map_err(|_| no_form())? {
            match field.name() {
                Some("file") => {
                    let name = field.file_name().unwrap_or("file").to_owned();
                    file = Some((name, field.bytes().await.map_err(|_| no_form())?));
                }
                Some("purpose") => purpose = Some(field.text().await.map_err(|_| no_form())?),
                _ => {}
            }
        }
        let purpose = purpose.ok_or_else(|| missing("purpose"))?;
        let (name, content) = file.ok_or_else(|| missing("file"))?;
        Ok(Self { name, purpose, content })
    }
}

fn no_form() -> Problem {
    Problem::invalid("Could not parse multipart form", None, None)
}
