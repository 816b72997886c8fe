//! Addressing a request to a backend, and apart from it copying one, for each native request type.

use std::hint::black_box;

use bytes::Bytes;
use isahc::AsyncBody;
use lb_core::{Backend, Pool, Step, Target, ThreadRng, Transport};
use lb_isahc::IsahcTransport;

use crate::{
    case::{Case, Section},
    state, stub,
};

/// A section for addressing per request type that can be addressed by itself, and one for copying.
#[must_use]
pub fn sections() -> Vec<Section> {
    vec![
        Section::new(
            "address an http::Request",
            [
                address("origin and key", |origin| Backend::builder(origin).api_key("key")),
                address("origin, the caller's key stays", Backend::builder),
                address("origin, key and path prefix", |origin| {
                    Backend::builder(format!("{origin}/team-a")).api_key("key")
                }),
                address("origin, key and deployment", |origin| {
                    Backend::builder(origin).api_key("key").deployment("mine")
                }),
            ],
        ),
        // reqwest's and isahc's adapters address only what they send: the client below refuses at once.
        Section::new("address a reqwest::Request", [reqwest_refused(), reqwest_addressed_and_refused()]),
        Section::new("copy", [copy_http(), copy_reqwest(), copy_isahc()]),
    ]
}

fn http_request() -> http::Request<Bytes> {
    let mut request = http::Request::post(format!("https://caller.example{}", stub::PATH));
    for (name, value) in stub::headers() {
        request = request.header(name, value);
    }
    request.body(Bytes::from_static(stub::BODY)).expect("a valid request")
}

/// Addresses one request again and again, to two targets in turn.
///
/// It is restored before each time by what costs next to nothing: the URI is replaced by a clone of the caller's, which
/// shares its text. The credential that is replaced is the other target's instead of the caller's.
fn address(name: &str, backend: impl Fn(String) -> lb_core::BackendBuilder) -> Case {
    let backends = ["a", "b"].map(|host| backend(format!("https://{host}.example")).build().expect("a valid backend"));
    let targets = targets(state::leaked(Pool::new(backends).expect("distinct names")));
    let mut request = http_request();
    let uri = request.uri().clone();
    let mut turn = 0;
    Case::new(name, move || {
        *request.uri_mut() = uri.clone();
        turn ^= 1;
        let addressed = black_box(&targets[turn]).address(&mut request);
        black_box(&request);
        addressed.is_ok()
    })
}

/// A target of each of two backends.
fn targets(pool: &'static Pool) -> [Target<'static>; 2] {
    let mut dispatch = pool.dispatch();
    [(); 2].map(|()| match dispatch.next(|| pool.now(), &ThreadRng) {
        Step::Try(attempt) => pool.target(&attempt),
        _ => unreachable!("both are available"),
    })
}

fn reqwest_refused() -> Case {
    let (client, request) = (stub::client(), stub::request("http://caller.example"));
    Case::new("copied and refused by the client", move || {
        stub::ready(client.execute(request.try_clone().expect("a body in memory"))).is_ok()
    })
}

fn reqwest_addressed_and_refused() -> Case {
    let (transport, request) = (stub::transport(), stub::request("http://caller.example"));
    let targets = targets(state::leaked(stub::pool("http://backend.example", 2)));
    let mut turn = 0;
    Case::new("copied, addressed and refused by the client", move || {
        turn ^= 1;
        let copy = request.try_clone().expect("a body in memory");
        stub::ready(transport.send(copy, &targets[turn])).is_ok()
    })
}

fn copy_http() -> Case {
    let request = http_request();
    Case::new("http::Request", move || black_box(&request).clone())
}

fn copy_reqwest() -> Case {
    let (transport, mut request) = (stub::transport(), stub::request("http://caller.example"));
    Case::new("reqwest::Request", move || transport.replay(black_box(&mut request)))
}

fn copy_isahc() -> Case {
    let transport = IsahcTransport::new().expect("an isahc client");
    let mut request = isahc::Request::post(format!("https://caller.example{}", stub::PATH));
    for (name, value) in stub::headers() {
        request = request.header(name, value);
    }
    let mut request = request.body(AsyncBody::from(stub::BODY)).expect("a valid request");
    Case::new("isahc::Request", move || Transport::replay(&transport, black_box(&mut request)))
}
