//! The service that an async-openai client sends its requests through.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use async_openai::{error::OpenAIError, middleware::HttpRequestFactory};
use lb_core::{LoadBalancer, Pools, Rng, ThreadRng, Transport, Wishes};
use lb_reqwest::ReqwestTransport;
use reqwest::{Request, Response};
use tower_service::Service;

use crate::{attempt_error::openai_error, transport::FactoryTransport};

/// A balancer as the HTTP service of an [`async_openai::Client`]. Clones share it.
///
/// ```
/// use async_openai::{Client, config::OpenAIConfig};
/// use lb_async_openai::{Backend, BalancedService, Pool, ReqwestTransport};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = Pool::new([Backend::new("eu.openai.azure.com", 1)?, Backend::new("us.openai.azure.com", 2)?])?;
/// let service = BalancedService::new(pool, ReqwestTransport::new()?);
///
/// let config = OpenAIConfig::new().with_api_base("https://any.host/openai/v1").with_api_key("goes to both");
/// let client = Client::with_config(config).with_http_service(service);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Its calls fail with the [`OpenAIError`] that the same problem has without a balancer: `Reqwest` if no response came,
/// or what building the request said. A request that cannot be addressed to a backend, and a credential that could not
/// be had, are `Boxed`, and can be downcast to [`Error`](crate::Error)`<`[`Infallible`](std::convert::Infallible)`>`.
///
/// When no backend is left, the call itself succeeds with a synthesised 429 with an
/// [`Exhausted`](crate::Exhausted) in its extensions. The client makes an [`OpenAIError::ApiError`] of it, with status
/// 429 and a message that says when to retry.
///
/// # Cancel safety
///
/// Dropping a future of the client abandons the request, and counts the open attempt as cancelled: no backend is
/// blamed.
#[derive(Debug, Clone)]
pub struct BalancedService<T = ReqwestTransport, R = ThreadRng> {
    balancer: Arc<LoadBalancer<FactoryTransport<T>, R>>,
    wishes: Wishes,
}

impl<T> BalancedService<T>
where
    T: Transport<Request = Request, Response = Response, Error = reqwest::Error>,
{
    /// A service on `pools`, which is a [`Pool`](crate::Pool), an `Arc<Pool>` shared with other balancers, or whatever
    /// else makes [`Pools`](crate::Pools), over a [`ReqwestTransport`] or another transport of reqwest's requests and responses.
    pub fn new(pools: impl Into<Pools>, transport: T) -> Self {
        Self::with_parts(pools, transport, ThreadRng)
    }
}

impl<T, R: Rng> BalancedService<T, R>
where
    T: Transport<Request = Request, Response = Response, Error = reqwest::Error>,
{
    /// A service with every part; a [`SeededRng`](lb_core::SeededRng) makes its choices repeatable.
    pub fn with_parts(pools: impl Into<Pools>, transport: T, rng: R) -> Self {
        Self {
            balancer: Arc::new(LoadBalancer::with_parts(pools, FactoryTransport::new(transport), rng)),
            wishes: Wishes::new(),
        }
    }

    /// A clone whose requests have these wishes, in place of those of this one, for another client over the same balancer.
    ///
    /// That takes no time; `Client::with_config` takes milliseconds, because it makes a `reqwest::Client` that only builds
    /// requests here. So clone a client, and give the clone the service:
    ///
    /// ```
    /// use async_openai::{Client, config::OpenAIConfig};
    /// use lb_async_openai::{BalancedService, Wishes};
    ///
    /// /// A client that goes on with what this backend's resource has stored.
    /// fn pinned(client: &Client<OpenAIConfig>, service: &BalancedService, made_by: &str) -> Client<OpenAIConfig> {
    ///     client.clone().with_http_service(service.with(Wishes::new().pin_resource(made_by)))
    /// }
    /// ```
    #[must_use]
    pub fn with(&self, wishes: Wishes) -> Self {
        Self { balancer: Arc::clone(&self.balancer), wishes }
    }

    /// The balancer: its pool, and `try_send` for those who send a factory themselves.
    #[must_use]
    pub fn balancer(&self) -> &LoadBalancer<FactoryTransport<T>, R> {
        &self.balancer
    }
}

impl<T, R> Service<HttpRequestFactory> for BalancedService<T, R>
where
    T: Transport<Request = Request, Response = Response, Error = reqwest::Error> + 'static,
    R: Rng + 'static,
{
    type Response = Response;
    // async-openai's retry layer goes around services with this error only.
    type Error = OpenAIError;
    type Future = Pin<Box<dyn Future<Output = Result<Response, OpenAIError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), OpenAIError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, factory: HttpRequestFactory) -> Self::Future {
        let (balancer, wishes) = (Arc::clone(&self.balancer), self.wishes.clone());
        Box::pin(async move { balancer.send_with(factory, wishes).await.map_err(openai_error) })
    }
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        net::TcpListener,
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    use async_openai::{Client, config::OpenAIConfig, middleware::retry::OpenAIRetryLayer, types::chat};
    use lb_core::{Backend, Error, Event, MockClock, Observer, Pool};
    use lb_emulator::{Emulator, Reply};
    use reqwest::Method;
    use tower::{ServiceBuilder, ServiceExt};

    use super::*;

    fn balanced(pools: impl Into<Pools>) -> BalancedService {
        BalancedService::new(pools, ReqwestTransport::new().unwrap())
    }

    /// The endpoint of nobody: its port was free a moment ago.
    fn nobody() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    }

    fn factory(path: &str) -> HttpRequestFactory {
        let url: reqwest::Url = format!("http://any.host{path}").parse().unwrap();
        HttpRequestFactory::new(move || std::future::ready(Ok(reqwest::Request::new(Method::POST, url.clone()))))
    }

    async fn ask(client: &Client<OpenAIConfig>) -> Result<String, OpenAIError> {
        let message = chat::ChatCompletionRequestUserMessage::from("Hello");
        let request = chat::CreateChatCompletionRequest {
            model: "gpt-4.1".to_owned(),
            messages: vec![message.into()],
            ..Default::default()
        };
        let answer = client.chat().create(request).await?;
        Ok(answer.choices[0].message.content.clone().unwrap_or_default())
    }

    fn config() -> OpenAIConfig {
        OpenAIConfig::new().with_api_base("http://any.host/openai/v1").with_api_key("key")
    }

    #[tokio::test]
    async fn a_factory_is_built_once_per_attempt() {
        let emulators = [1, 2, 3].map(|_| Emulator::start().unwrap());
        let [a, b, c] = &emulators;
        a.script(Reply::throttled(Duration::from_secs(5)));
        b.script(Reply::status(500));
        c.script(Reply::status(200).body("served"));
        let at = |emulator: &Emulator, priority| Backend::new(emulator.url(), priority).unwrap();
        let service = balanced(Pool::new([at(a, 1), at(b, 2), at(c, 3)]).unwrap());

        let built = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&built);
        let factory = HttpRequestFactory::new(move || {
            let number = counter.fetch_add(1, Ordering::Relaxed) + 1;
            // A form is a body that can be read only once.
            let form = reqwest::multipart::Form::new().text("number", number.to_string());
            let request = reqwest::Client::new().post("http://any.host/x").multipart(form).build();
            std::future::ready(request.map_err(OpenAIError::Reqwest))
        });
        let response = service.oneshot(factory).await.unwrap();
        assert_eq!(response.text().await.unwrap(), "served");
        assert_eq!(built.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn what_building_said_is_the_callers_and_blames_nobody() {
        let only = Emulator::start().unwrap();
        let pool = Arc::new(Pool::new([Backend::new(only.url(), 1).unwrap()]).unwrap());
        let service = balanced(Arc::clone(&pool));
        let invalid = HttpRequestFactory::new(|| {
            std::future::ready(Err(OpenAIError::FileReadError("no such file: a.mp3".to_owned())))
        });
        let error = service.clone().oneshot(invalid).await.unwrap_err();
        assert!(matches!(&error, OpenAIError::FileReadError(text) if text.contains("a.mp3")), "{error:?}");

        // A factory that fetches something finds nobody there. That is not the backend's fault.
        let elsewhere = nobody();
        let fetching = HttpRequestFactory::new(move || {
            let elsewhere = elsewhere.clone();
            async move { Err(reqwest::Client::new().get(elsewhere).send().await.unwrap_err().into()) }
        });
        let error = service.oneshot(fetching).await.unwrap_err();
        assert!(matches!(&error, OpenAIError::Reqwest(error) if error.is_connect()), "{error:?}");
        assert_eq!(pool.snapshot().backends[0].state, lb_core::State::Available);
        assert!(only.requests().is_empty());
    }

    #[tokio::test]
    async fn errors_keep_their_kind() {
        let service = balanced(Pool::new([Backend::new(nobody(), 1).unwrap()]).unwrap());
        let error = service.oneshot(factory("/x")).await.unwrap_err();
        assert!(matches!(&error, OpenAIError::Reqwest(error) if error.is_connect()), "{error:?}");

        let prefixed = format!("http://a.example/{}", "p".repeat(100));
        let service = balanced(Pool::new([Backend::new(prefixed, 1).unwrap()]).unwrap());
        let OpenAIError::Boxed(error) = service.oneshot(factory(&"/x".repeat(32_750))).await.unwrap_err() else {
            panic!("expected a boxed error");
        };
        let error: Box<Error<Infallible>> = error.downcast().unwrap();
        assert!(matches!(*error, Error::Address(_)), "{error:?}");
    }

    #[tokio::test]
    async fn exhaustion_is_an_api_error_with_status_429_that_says_when() {
        let only = Emulator::start().unwrap();
        only.script(Reply::throttled(Duration::from_secs(7)));
        let pool = Pool::builder().backend(Backend::new(only.url(), 1).unwrap()).clock(MockClock::new());
        let client = Client::with_config(config()).with_http_service(balanced(pool.build().unwrap()));
        for _ in 0..2 {
            let OpenAIError::ApiError(answer) = ask(&client).await.unwrap_err() else { panic!("expected an answer") };
            assert_eq!(answer.status_code, 429);
            assert_eq!(
                answer.api_error.message,
                format!(
                    "no backend available for 7 s: cooling after status 429 ({})",
                    only.url().trim_start_matches("http://")
                )
            );
            assert_eq!(answer.api_error.code.as_deref(), Some("rate_limit_exceeded"));
        }
        assert_eq!(only.requests().len(), 1, "the client has no retry layer of its own any more");
    }

    /// Lets the pool's time pass while somebody waits for it.
    struct Waiting(MockClock);

    impl Observer for Waiting {
        fn on_event(&self, event: &Event<'_>) {
            if let Event::Exhausted { exhausted, .. } = event {
                self.0.advance(exhausted.retry_after().unwrap());
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_sdks_retry_layer_around_the_balancer_waits_until_a_backend_is_back() {
        let only = Emulator::builder().name("only").start().unwrap();
        only.script(Reply::throttled(Duration::from_secs(7)));
        let clock = MockClock::new();
        let pool = Pool::builder().backend(Backend::new(only.url(), 1).unwrap());
        let pool = pool.clock(clock.clone()).observer(Waiting(clock)).build().unwrap();
        // Idle connections have a timer, which would pass the time too.
        let transport = ReqwestTransport::from_builder(reqwest::Client::builder().pool_max_idle_per_host(0)).unwrap();
        let service = BalancedService::new(pool, transport);
        let service = ServiceBuilder::new().layer(OpenAIRetryLayer::new(1)).service(service);
        let client = Client::with_config(config()).with_http_service(service);

        let start = tokio::time::Instant::now();
        assert!(ask(&client).await.unwrap().starts_with("only"));
        assert_eq!(start.elapsed().as_secs(), 7, "the layer waits for what the synthesised answer says");
        assert_eq!(only.requests().len(), 2);
    }
}
