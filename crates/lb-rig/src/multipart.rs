//! Multipart forms as bytes, so that an upload can be sent to another backend.

use std::borrow::Cow;

use bytes::Bytes;
use rig_http::http_client::multipart::{MultipartForm, Part, PartContent};

/// The content type and the body of a form.
pub(crate) fn encode(form: MultipartForm) -> (String, Bytes) {
    let (boundary, body) = form.encode();
    let content_type = format!("multipart/form-data; boundary={boundary}");
    if form.parts().iter().all(is_plain) {
        return (content_type, body);
    }
    let parts = form.into_parts().into_iter().map(escaped);
    let form = parts.fold(MultipartForm::new().boundary(boundary), MultipartForm::part);
    (content_type, form.encode().1)
}

fn is_plain(part: &Part) -> bool {
    let is_plain = |text: &str| matches!(escape(text), Cow::Borrowed(_));
    is_plain(part.name()) && part.get_filename().is_none_or(is_plain)
}

/// The part with names that cannot end their header: rig-http writes them as they are.
fn escaped(part: Part) -> Part {
    let (name, content, filename, content_type) = part.into_pieces();
    let name = escape(&name);
    let mut part = match content {
        PartContent::Text(text) => Part::text(name, text),
        PartContent::Binary(bytes) => Part::bytes(name, bytes),
    };
    if let Some(filename) = filename {
        part = part.filename(escape(&filename));
    }
    match content_type {
        Some(content_type) => part.content_type(content_type),
        None => part,
    }
}

/// As browsers do: <https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data>.
fn escape(text: &str) -> Cow<'_, str> {
    if text.contains(['"', '\r', '\n']) {
        text.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A").into()
    } else {
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(form: MultipartForm) -> (String, String) {
        let (content_type, body) = encode(form.boundary("edge"));
        (content_type, String::from_utf8(body.to_vec()).unwrap())
    }

    #[test]
    fn a_form_is_encoded_by_rig_http() {
        let form = MultipartForm::new().text("model", "whisper").file("file", "a.mp3", mime::TEXT_PLAIN, "sound");
        let (content_type, body) = encoded(form);
        assert_eq!(content_type, "multipart/form-data; boundary=edge");
        assert_eq!(
            body,
            "--edge\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper\r\n\
             --edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\n\
             Content-Type: text/plain\r\n\r\nsound\r\n--edge--\r\n"
        );
    }

    #[test]
    fn a_file_name_cannot_end_its_header() {
        let name = "a\".mp3\r\nx-injected: 1";
        let form = MultipartForm::new().text("model", "\"kept\"\r\n").file("file", name, mime::TEXT_PLAIN, "so\"und");
        let (_, body) = encoded(form);
        assert!(body.contains("filename=\"a%22.mp3%0D%0Ax-injected: 1\"\r\nContent-Type: text/plain\r\n"), "{body}");
        assert!(body.contains("name=\"model\"\r\n\r\n\"kept\"\r\n\r\n--edge"), "contents stay as they are: {body}");
        assert!(body.contains("\r\n\r\nso\"und\r\n--edge--"), "{body}");
    }
}
