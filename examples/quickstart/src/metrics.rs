//! Metrics of a run, for Prometheus to scrape while it goes: by OpenTelemetry, by the `metrics` facade, or by both.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    fmt, io,
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use http_body_util::Full;
use hyper::{Request, Response, StatusCode, body::Bytes, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;

use crate::{BoxError, Watcher, Watching};

type Page = Arc<dyn Fn() -> String + Send + Sync>;

/// Metrics of all pools of a run, under one path of a server for each API that is compiled in: `/metrics` for the facade,
/// `/otel` for OpenTelemetry.
pub struct Exposition {
    address: SocketAddr,
    paths: Vec<&'static str>,
    watchers: Vec<Box<dyn Watcher>>,
}

impl fmt::Debug for Exposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exposition").field("address", &self.address).field("paths", &self.paths).finish_non_exhaustive()
    }
}

impl Exposition {
    /// Installs the recorders and serves what they have, until the program ends. Once per program.
    ///
    /// # Errors
    ///
    /// If the address cannot be listened at, or there is a recorder already.
    pub fn serve(address: SocketAddr) -> Result<Self, BoxError> {
        let mut pages: BTreeMap<&'static str, Page> = BTreeMap::new();
        let mut watchers: Vec<Box<dyn Watcher>> = Vec::new();
        #[cfg(feature = "metrics")]
        {
            let facade = Arc::new(Facade::install()?);
            watchers.push(Box::new(Arc::clone(&facade)));
            pages.insert("/metrics", Arc::new(move || facade.render()));
        }
        #[cfg(feature = "otel")]
        {
            let (otel, page) = Otel::new()?;
            watchers.push(Box::new(otel));
            pages.insert("/otel", page);
        }
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let (address, paths) = (listener.local_addr()?, pages.keys().copied().collect());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::spawn(move || runtime.block_on(answer(listener, pages)));
        Ok(Self { address, paths, watchers })
    }

    /// Where to point Prometheus at.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.paths.iter().map(|path| format!("http://{}{path}", self.address)).collect()
    }

    /// Who wants to know the pools.
    #[must_use]
    pub fn into_watchers(self) -> Vec<Box<dyn Watcher>> {
        self.watchers
    }
}

async fn answer(listener: TcpListener, pages: BTreeMap<&'static str, Page>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let pages = Arc::new(pages);
    loop {
        // One that is gone before it was accepted is no reason to stop.
        let Ok((stream, _)) = listener.accept().await else { continue };
        let pages = Arc::clone(&pages);
        let service = service_fn(move |request: Request<Incoming>| {
            let page = pages.get(request.uri().path()).cloned();
            async move {
                let mut response =
                    Response::new(Full::new(Bytes::from(page.as_ref().map_or_else(String::new, |page| page()))));
                if page.is_none() {
                    *response.status_mut() = StatusCode::NOT_FOUND;
                }
                Ok::<_, Infallible>(response)
            }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

/// The facade, with the exporter to Prometheus behind it.
#[cfg(feature = "metrics")]
struct Facade {
    handle: metrics_exporter_prometheus::PrometheusHandle,
    pools: Mutex<Vec<lb_metrics::facade::Metrics>>,
}

#[cfg(feature = "metrics")]
impl fmt::Debug for Facade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Facade")
    }
}

#[cfg(feature = "metrics")]
impl Facade {
    fn install() -> Result<Self, BoxError> {
        use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};

        let attempts = Matcher::Full("lb.request.attempts".to_owned());
        let builder = PrometheusBuilder::new().with_recommended_naming(true).set_buckets(lb_metrics::SECONDS)?;
        let handle = builder.set_buckets_for_metric(attempts, lb_metrics::ATTEMPTS)?.install_recorder()?;
        lb_metrics::facade::describe();
        Ok(Self { handle, pools: Mutex::default() })
    }

    fn render(&self) -> String {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|pool| pool.update());
        self.handle.run_upkeep();
        self.handle.render()
    }
}

#[cfg(feature = "metrics")]
impl Watcher for Arc<Facade> {
    fn begin(&self, name: &'static str) -> Watching {
        let metrics = lb_metrics::facade::Metrics::new(name);
        self.pools.lock().unwrap_or_else(PoisonError::into_inner).push(metrics.clone());
        Watching { observer: Box::new(metrics.observer()), watch: Box::new(move |pool| metrics.watch(pool)) }
    }
}

/// OpenTelemetry, with the exporter to Prometheus behind it.
#[cfg(feature = "otel")]
struct Otel {
    provider: opentelemetry_sdk::metrics::SdkMeterProvider,
    /// Kept, or they are reported no more.
    pools: Mutex<Vec<lb_metrics::otel::Metrics>>,
}

#[cfg(feature = "otel")]
impl fmt::Debug for Otel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Otel")
    }
}

#[cfg(feature = "otel")]
impl Otel {
    fn new() -> Result<(Self, Page), BoxError> {
        let registry = prometheus::Registry::new();
        let exporter = opentelemetry_prometheus::exporter().with_registry(registry.clone()).build()?;
        let provider = opentelemetry_sdk::metrics::SdkMeterProvider::builder().with_reader(exporter).build();
        let page = move || {
            let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather());
            text.unwrap_or_else(|error| format!("# {error}\n"))
        };
        Ok((Self { provider, pools: Mutex::default() }, Arc::new(page)))
    }
}

#[cfg(feature = "otel")]
impl Watcher for Otel {
    fn begin(&self, name: &'static str) -> Watching {
        use opentelemetry::metrics::MeterProvider;

        let metrics = lb_metrics::otel::Metrics::new(&self.provider.meter("lb"), name);
        self.pools.lock().unwrap_or_else(PoisonError::into_inner).push(metrics.clone());
        Watching { observer: Box::new(metrics.observer()), watch: Box::new(move |pool| metrics.watch(pool)) }
    }
}
