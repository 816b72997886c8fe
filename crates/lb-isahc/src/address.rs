//! Addressing a request to a target, through `&str` and bytes: isahc's `http` may be another version than the core's.

use isahc::{
    auth::Authentication,
    config::{Configurable, RedirectPolicy},
    http::{
        HeaderMap, Request, Uri,
        header::{HeaderName, HeaderValue},
    },
};
use lb_core::{AddressError, Target};

/// The request as it is sent to the target: its URI, its headers, and that no redirect is followed.
pub(crate) fn address<B>(request: Request<B>, target: &Target<'_>) -> Result<Request<B>, AddressError> {
    let (mut parts, body) = request.into_parts();
    let uri = uri(&parts.uri, target)?;
    let has_credential = authenticate(&mut parts.headers, target)?;

    // Only a builder takes isahc's options, and only from the same extensions that have the caller's.
    let mut builder = Request::builder().method(parts.method).uri(uri).version(parts.version);
    if let Some(extensions) = builder.extensions_mut() {
        *extensions = parts.extensions;
    }
    if let Some(headers) = builder.headers_mut() {
        *headers = parts.headers;
    }
    builder = builder.redirect_policy(RedirectPolicy::None);
    if has_credential {
        // What isahc would add to the backend's credential is the caller's.
        builder = builder.authentication(Authentication::none());
    }
    builder.body(body).map_err(|_| target.error("isahc does not take its method or URI"))
}

fn uri(original: &Uri, target: &Target<'_>) -> Result<Uri, AddressError> {
    let original = original.path_and_query().map_or("/", |path_and_query| path_and_query.as_str());
    Uri::builder()
        .scheme(target.backend().scheme().as_str())
        .authority(target.backend().authority().as_str())
        .path_and_query(target.path_and_query(original)?.as_ref())
        .build()
        .map_err(|_| target.error("its URI is not valid"))
}

/// Replaces the caller's credentials by the backend's, if it has one, and says whether it has.
fn authenticate(headers: &mut HeaderMap, target: &Target<'_>) -> Result<bool, AddressError> {
    let credential = target.credential()?;
    let removed: Vec<_> = headers.keys().filter(|name| target.removes_header(name.as_str())).cloned().collect();
    for name in removed {
        headers.remove(name);
    }
    if let Some(credential) = credential {
        let invalid = "its backend's credential is no valid header";
        let name = HeaderName::from_bytes(credential.header().as_str().as_bytes());
        let value = HeaderValue::from_bytes(credential.value().as_bytes());
        let (name, mut value) = name.ok().zip(value.ok()).ok_or_else(|| target.error(invalid))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    if headers.values().any(|value| value.to_str().is_err()) {
        // isahc would panic on it.
        return Err(target.error("isahc sends header values in ASCII only; encode the others"));
    }
    Ok(credential.is_some())
}
