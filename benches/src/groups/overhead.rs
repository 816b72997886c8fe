//! Whole requests over loopback: each of the first adapters beside its bare client.
//!
//! The clients run on one core and the server on another, as far as there are two.
//!
//! Over loopback the difference is smaller than the noise. What the balancer adds is measured where nothing else
//! happens, by [`adapters`], and set against the time of a request.

use std::io;

use futures_lite::future::block_on;
use isahc::{AsyncBody, AsyncReadResponseExt, Body, HttpClient, ReadResponseExt};
use lb_core::{BlockingLoadBalancer, LoadBalancer, Pool};
use lb_isahc::IsahcTransport;
use lb_reqwest::{BlockingReqwestTransport, ReqwestTransport};
use tokio::runtime::{Builder, Runtime};

use crate::{
    case::{Case, Section},
    groups::adapters,
    overlap, server, stub,
};

/// reqwest, async, over loopback.
pub const REQWEST: &str = "reqwest over loopback";
/// The client alone.
pub const BARE: &str = "bare client";
/// The client under a balancer with three backends: the request is copied, because another attempt may follow.
pub const BALANCED: &str = "balanced";

/// A section per adapter that has loopback cases, and those of [`adapters`].
///
/// # Errors
///
/// If there is no loopback to listen on.
pub fn sections() -> io::Result<Vec<Section>> {
    let origin = format!("http://{}", server::start()?);
    overlap::pin_to_first_core();
    let mut sections = vec![
        Section::new(REQWEST, reqwest(&origin)?),
        Section::new("reqwest::blocking over loopback", reqwest_blocking(&origin)),
        Section::new("isahc over loopback", isahc(&origin)),
        Section::new("isahc, blocking, over loopback", isahc_blocking(&origin)),
    ];
    sections.extend(adapters::sections());
    Ok(sections)
}

fn pool(origin: &str) -> Pool {
    stub::pool(origin, 3)
}

fn reqwest(origin: &str) -> io::Result<[Case; 2]> {
    let runtime = || -> io::Result<Runtime> { Builder::new_current_thread().enable_all().build() };
    let transport = || ReqwestTransport::new().expect("a reqwest client");
    let (bare_runtime, client, request) = (runtime()?, transport().client().clone(), stub::request(origin));
    let bare = Case::new(BARE, move || {
        bare_runtime.block_on(async {
            let copy = request.try_clone().expect("a body in memory");
            client.execute(copy).await.expect("an answer").bytes().await.expect("a body")
        })
    });
    let (runtime, balancer, request) =
        (runtime()?, LoadBalancer::new(pool(origin), transport()), stub::request(origin));
    let balanced = Case::new(BALANCED, move || {
        runtime.block_on(async {
            let copy = request.try_clone().expect("a body in memory");
            balancer.send(copy).await.expect("an answer").bytes().await.expect("a body")
        })
    });
    Ok([bare, balanced])
}

fn reqwest_blocking(origin: &str) -> [Case; 2] {
    let transport = || BlockingReqwestTransport::new().expect("a reqwest client");
    let url = format!("{origin}{}", stub::PATH);
    let request = |client: &reqwest::blocking::Client| {
        let mut request = client.post(&url);
        for (name, value) in stub::headers() {
            request = request.header(name, value);
        }
        request.body(stub::BODY).build().expect("a valid request")
    };
    let client = transport().client().clone();
    let balancer = BlockingLoadBalancer::new(pool(origin), transport());
    let (bare_request, balanced_request) = (request(&client), request(&client));
    [
        Case::new(BARE, move || {
            let copy = bare_request.try_clone().expect("a body in memory");
            client.execute(copy).expect("an answer").bytes().expect("a body")
        }),
        Case::new(BALANCED, move || {
            let copy = balanced_request.try_clone().expect("a body in memory");
            balancer.send(copy).expect("an answer").bytes().expect("a body")
        }),
    ]
}

fn isahc(origin: &str) -> [Case; 2] {
    let client = HttpClient::new().expect("an isahc client");
    let balancer = LoadBalancer::new(pool(origin), IsahcTransport::new().expect("an isahc client"));
    let request = isahc_request::<AsyncBody>(origin);
    let same_request = isahc_request::<AsyncBody>(origin);
    [
        Case::new(BARE, move || {
            block_on(async { client.send_async(request()).await.expect("an answer").bytes().await.expect("a body") })
        }),
        Case::new(BALANCED, move || {
            block_on(async { balancer.send(same_request()).await.expect("an answer").bytes().await.expect("a body") })
        }),
    ]
}

fn isahc_blocking(origin: &str) -> [Case; 2] {
    let client = HttpClient::new().expect("an isahc client");
    let balancer = BlockingLoadBalancer::new(pool(origin), IsahcTransport::new().expect("an isahc client"));
    let request = isahc_request::<Body>(origin);
    let same_request = isahc_request::<Body>(origin);
    [
        Case::new(BARE, move || client.send(request()).expect("an answer").bytes().expect("a body")),
        Case::new(BALANCED, move || balancer.send(same_request()).expect("an answer").bytes().expect("a body")),
    ]
}

/// Makes requests to `origin`: isahc's cannot be copied.
fn isahc_request<B: From<&'static [u8]>>(origin: &str) -> impl Fn() -> isahc::Request<B> + use<B> {
    let url = format!("{origin}{}", stub::PATH);
    move || {
        let mut request = isahc::Request::post(url.as_str());
        for (name, value) in stub::headers() {
            request = request.header(name, value);
        }
        request.body(B::from(stub::BODY)).expect("a valid request")
    }
}
