//! Response headers, as the core reads them.

use isahc::http::HeaderMap;
use lb_core::Headers;
use ref_cast::RefCast;

/// isahc's header map, which is not always the core's type: isahc resolves to `http` 1 or to `http` 0.2.
#[derive(RefCast)]
#[repr(transparent)]
pub(crate) struct ResponseHeaders(HeaderMap);

impl Headers for ResponseHeaders {
    fn visit(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
        for value in self.0.get_all(name) {
            visit(value.as_bytes());
        }
    }
}
