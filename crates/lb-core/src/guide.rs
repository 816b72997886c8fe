//! Concepts, reasons and limitations.
//!
//! # Concepts
//!
//! - A **backend** is one deployment with an origin, a **priority** (lower is preferred) and a **weight**. Backends of
//!   the same priority are a **tier**.
//! - A **pool** holds backends. Each is in one of [four states](#four-states).
//! - A **dispatch** is one request's walk over the pool: the best tier that has an available backend, at random by
//!   weight inside it, each backend at most once.
//! - An **outcome** is what one attempt came to; the [table](crate::outcome) says what it means.
//! - A **hint** is what a backend said about when to come back; [`retry_after`](crate::retry_after) lists the forms.
//! - **Failover** sends the same request on to the next backend at once. **Exhausted** says that none is left, why, and when
//!   one is back.
//!
//! # Four states
//!
//! - **available**: it is asked, best priority first;
//! - **cooling**: it *said* when it wants to be asked again (a 429, a 5xx with a hint): it is not asked before, and then it is
//!   back, whole;
//! - **suspect**: it *failed without a word*: it is asked last, and once in a while one request asks it first, to see;
//! - **drained**: an operator [took it out](crate::Pool::drain).
//!
//! A failure that cannot be the request's doing (no connection, no credential) makes suspect at once. Any other is a
//! **strike**: the request goes on, or gets its error, and a [second](crate::PoolBuilder::strikes) request in a row that strikes
//! the backend makes it suspect. An answer that is none takes all strikes back, and time takes none.
//!
//! [`probe_after`](crate::PoolBuilder::probe_after) its last failure a suspect is asked *first*, by one request that comes to its
//! priority; where failed probes are at a caller's expense (timeouts, resets) each next one comes after twice as long. And a
//! request that finds nothing else asks it *last*: any number at a time, but one where the last failure was a timeout. A
//! failure there closes this way for a second, unless the request had failed at another backend before: that one says nothing
//! about a suspect. Any success of an attempt that began since brings it back. What each of these rules buys and costs is measured in `docs/policies.md`.
//!
//! # Why two strikes?
//!
//! Because a 500, a timeout or a 429 with a hint of a day can be the prompt's doing. If one were enough, a single bad prompt,
//! tried at every backend, would take all of them out for everybody. Two different requests in a row are hardly both
//! bad. A success in between shows that it was the request.
//!
//! # Why are suspects probed, and cooling backends not?
//!
//! A cooling backend has said when it is back. To let one request in to see, and the others only after its head, would cost
//! a provisioned deployment most of what it could serve. A suspect has said nothing: if all requests went back at once, each
//! would wait for the connect timeout of a region that is still away. So one goes and sees.
//!
//! It probes at the expense of a request of its own priority only: while a better priority serves, nobody is sent to a lower
//! one to see how it is. Behind a healthy PTU a backup that hangs delays nobody. It stays suspect then until requests come to it.
//!
//! # Why a 503 when no backend is left?
//!
//! A 429 says "you are too fast", and who hears it slows down or buys quota. It is the answer where a 429 is among the
//! reasons; where certificates have expired or regions are away, it is a 503, whose body names the reasons. Retry layers treat
//! both alike: they wait for `Retry-After`, where there is one, and try again. What changes above them is the error's class
//! (Python's `InternalServerError` in place of `RateLimitError`); and async-openai drops `code` of a 5xx.
//! [`always_synthesize`](crate::PoolBuilder::always_synthesize) keeps the 429.
//!
//! # Where does it say why?
//!
//! In [`Exhausted`](crate::Exhausted) and its body, for callers: reasons and names of backends. In [events](crate::Event) and in
//! the [snapshot](crate::BackendSnapshot::last_failure), for operators: there with the text of the error and the request id of
//! the answer (`apim-request-id`, `x-request-id`), which Azure's support asks for. The last event of every request,
//! [`Finished`](crate::Event::Finished), says how it [ended](crate::Ending), and how long that took if an observer
//! [wants time](crate::Observer::wants_time).
//!
//! A response that a backend gave tells in [`Served::trail`](crate::Served::trail) who failed before, and why.
//!
//! # How is it operated?
//!
//! Through the pool, from any thread, also where an SDK's client holds it: keep an `Arc<Pool>`. [`Pool::drain`](crate::Pool::drain)
//! takes a backend out until [`reopen`](crate::Pool::reopen); what is under way ends in peace. [`Pool::cool`](crate::Pool::cool)
//! sets a cooldown for news that no request brings, and [`end_cooldown`](crate::Pool::end_cooldown) ends one, whoever began it:
//! it is the one way to shorten what a backend asked for. A status page is
//! [`Pool::snapshot`](crate::Pool::snapshot), which is `Serialize` with the feature `serde`.
//!
//! A pool never changes, which is why a pick costs so little. Backends and options change by another pool in its place: give
//! the balancer a [`ReplaceablePool`](crate::ReplaceablePool), keep a clone, and [`replace`](crate::ReplaceablePool::replace)
//! it. A request ends on the pool that it began on, and sees one set of backends; but what is known about a backend is
//! known once, for all pools of a handle that have it under one name and endpoint. So the news of a request that ends late
//! are not lost, and it is not sent to a backend that the new pool knows to be out. Requests that wait are woken, also by
//! `reopen` and `end_cooldown`, and go on in the pool that is there then.
//!
//! # Several models
//!
//! Azure's quotas are a deployment's, so a pool is for the deployments of one model: a 429 of the embeddings says nothing about
//! chat, and a chat must not be sent to where the embeddings are. Where one client is used for several,
//! [`Pools::by_model`](crate::Pools::by_model) holds a pool for each, and the request says which: by the deployment in its path,
//! else by the model in its JSON body. What names neither (files, uploads as forms on `/openai/v1`) goes to the pool that
//! `without_model` names, or is an error. Between pools nothing is shared and nothing fails over.
//!
//! # Waiting
//!
//! By default nobody waits, because the caller knows whether it can. A refusal comes at once, with the exact time after
//! which a retry makes sense, in the form that the SDKs' own retry layers read. Set their number of retries with the
//! balancer in mind: one layer should retry, not two.
//!
//! A pool in which requests [wait](crate::PoolBuilder::wait) spares callers the 429 of a burst. It does better than an SDK,
//! which knows one moment and has a few tries: where a small provisioned deployment is back in half a second and full again
//! at once, a retry layer spends them there. Here who waits keeps its age, and tries again until its time is over. There is no task and no
//! wake-up: each has a moment of its own, at which one, then two, then four of them ask a backend that is back. A refusal
//! begins that anew, and who comes later goes behind. Only cooldowns are waited for: nobody knows when a suspect is well.
//!
//! Each process has an order of its own. Where many wait for one deployment, its refusals are as many as they, each time.
//! There is no backoff: a backend says when it is back, or is probed.
//!
//! # What is left out, and why
//!
//! - **Round robin**: a counter that all threads share, which starts anew in each process. Weights in proportion to the quotas
//!   do what it is meant to do.
//! - **Hedging**: twice the tokens, on deployments that are limited by tokens, whose first token comes late by nature.
//! - **A retry budget**: it keeps retries from storming a backend, and here a request goes on to another one, each once. What
//!   fails is marked: a total outage gets about half a send for each request.
//! - **Routing by `x-ratelimit-remaining`**: it tells of a moment that has passed, provisioned deployments do not send it, and
//!   others were seen to send a full one beside a 429.
//!
//! `docs/policies.md` measures what is in.
//!
//! # What may a request wish?
//!
//! [`Wishes`](crate::Wishes) are what a balancer cannot know: by when the answer is of use, where the prompt is cached, who
//! knows the id. They come with the request and are never sent. One that wishes nothing takes the way that it always took.
//!
//! - A **deadline** bounds when attempts begin, not how long they take: what is under way has been paid for. The client's
//!   timeout bounds an attempt.
//! - A **head timeout** is a wish and no option of a pool, because only the caller knows whether its head is the first token
//!   or the whole answer. It fails over where timeouts do.
//! - [`fail_over_within`](crate::PoolBuilder::fail_over_within) is for the 504 that comes after two minutes: three backends
//!   would be six minutes, of work that was probably done each time.
//!
//! # Affinity or a pin?
//!
//! An **affinity** is a wish: the prompt cache is warm there. It chooses inside a tier, among what is available: a better
//! priority goes before it, and so does health. Each key has an order of the backends of its own, by a hash of both names
//! (rendezvous hashing). So all processes agree without talking, if they name their backends alike; where a backend goes out
//! its keys spread over the others evenly, and come back with it. A key is worth it where many requests share a long
//! prefix, and no more of them per minute than one deployment can take: the requests of one key are not spread.
//!
//! A **pin** is a must: only this resource knows the id. The request gets that backend's own answer, a 429 with its own hint;
//! while the backend is cooling it is refused without a send, or waits. It fails over inside the resource only. A resource
//! is an origin with a path prefix. Without a pin, [`guard_stateful_paths`](crate::PoolBuilder::guard_stateful_paths) at least
//! lets nobody be answered by a resource that has never heard of the id, where the path tells that there is one.
//!
//! # Why does a timeout not fail over?
//!
//! Because the first backend may have executed the request, and billed it. A fault before anything was sent fails
//! over always; [`fail_over_after_send`](crate::PoolBuilder::fail_over_after_send) opts in to the rest. Whether the *next*
//! request begins there is another question: a timeout is a strike either way.
//!
//! A 408 is the same news from the other side: Azure answers it when an operation took too long, and may bill it. It is
//! returned unless you opted in, and a strike. [`on_status`](crate::PoolBuilder::on_status) says otherwise.
//!
//! Where your timeout is a timer around the future, a timed-out request is a dropped one, and says nothing by itself:
//! [`stalled_after`](crate::PoolBuilder::stalled_after) makes it a strike.
//!
//! # Why is a very long hint not followed?
//!
//! Azure answers `Retry-After: 86400` to one prompt that is larger than the deployment's quota per minute. The
//! deployment is healthy; believing the hint would take it out for a day, for everybody. Above
//! [`max_cooldown`](crate::PoolBuilder::max_cooldown) a hint is not credible, and the answer is a strike. If all backends
//! answer a request so, it gets the last answer as it came: it tells that the prompt is the matter.
//!
//! # What about a 200 whose stream refuses?
//!
//! Azure accepts some streaming requests with a 200, and refuses them in the first events. Where the head
//! [announces](crate::announces_refusal) that (a `Retry-After`, which no success has, or a limit that is used up), the stream is
//! held until its first real event. A refusal is then judged as the 429 or 503 that it would have been, with the event's own
//! hint or the head's, and the next backend is asked before the caller saw a byte. Anything else is the caller's, from its
//! first byte on, also where nothing was said after 64 events, 64 KiB or [two seconds](crate::PEEK_FOR). `lb-peek` says which
//! events and codes are which.
//!
//! It costs other streams one look at their headers, and nothing of what they send is read or delayed. A healthy stream that
//! used its limit up comes with its first token, instead of with the empty events before it: at most two seconds later. Where
//! even that matters, [`peek(false)`](crate::PoolBuilder::peek) switches it off. A refusal after the first token is the
//! caller's, always: what was seen cannot be taken back.
//!
//! # Why does a cooldown only get longer?
//!
//! Answers overtake each other. A 429 that was sent earlier, but arrives later, knows less; so a shorter deadline never
//! replaces a longer one, and a late success ends no cooldown. A 429 counts whenever its request began, so one that
//! comes after the backend had recovered takes it out again. Any other failure of a request that began before the
//! backend's last change of state is old news, and changes nothing.
//!
//! # Why are 5xx answers handed through at the end?
//!
//! Because "the service is broken" and "come back later" are different news. If no 429 was among the answers of a
//! request, or if all were strikes, the final attempt's answer is returned as it came. The Python package
//! `openai_priority_loadbalancer` answers with an empty 429 in both cases;
//! [`always_synthesize`](crate::PoolBuilder::always_synthesize) does so with a full one.
//!
//! # Why is the last possible attempt a copy too?
//!
//! It could be moved, since nothing follows it. But then a transport has to know beforehand whether a body can be copied,
//! and to leave something in the place of what was moved: two more methods for everybody who writes one, and a loop that
//! is no straight line, to save some hundred nanoseconds of a request that takes milliseconds.
//!
//! # Whose credential goes where?
//!
//! A backend's own credential goes to that backend and to no other, and the caller's does not go with it. If no
//! backend has one, all get the caller's: one Entra ID token for all resources is the usual set-up. If some have and
//! some have not, the pool does not build until each of the others says
//! [`forward_caller_credential`](crate::BackendBuilder::forward_caller_credential). What counts as the caller's is a table at
//! [`Backend`](crate::Backend), which the builder's `caller_credential_header` and `caller_credential_parameter` add to.
//!
//! # Which model goes where?
//!
//! Azure's `/openai/deployments/NAME/..` has the deployment in the path, and `/openai/v1/..` has it in the body, as `model`.
//! [`deployment`](crate::BackendBuilder::deployment) is a backend's name for the one, and with the feature `json` `model` and
//! `model_for` are for the other: a name for every model, and names for some of them. Where a path has a deployment, the body
//! is not looked at.
//!
//! The name is written over the caller's, in the caller's own body for each attempt, and no byte else changes: a body that is
//! parsed and written anew would change in numbers, escapes and order, and a prompt cache would see another prompt. A body
//! that is odd (no JSON, no model, two of them) goes out as it is, with an event: what the backend says of it is a better
//! error than ours. The feature is off by default, because a body is read whole for it: about 2 us for each KiB
//! (`docs/performance.md`), where a backend has a name for models, and nothing where none has.
//!
//! Not replaced are models in multipart forms (audio, image edits), in streams that are not in memory, and in lines of a batch
//! file. There deployments need the same name on every resource.
//!
//! # How is a key rotated while requests run?
//!
//! Give the backend a [`RotatingCredential`](crate::RotatingCredential), and keep a clone of it. A call of `rotate` replaces
//! the key for every attempt that begins after it; attempts under way finish with the key they have, so keep the old key
//! valid for as long as your longest request. Nothing is rebuilt: cooldowns and counters stay.
//!
//! ```
//! use lb_core::{Backend, Credential, Pool, RotatingCredential};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = RotatingCredential::new(Credential::api_key("the key of today")?);
//! let pool = Pool::new([
//!     Backend::builder("ptu.openai.azure.com").credential_source(key.clone()).build()?,
//!     Backend::builder("standard.openai.azure.com").priority(2).api_key("a fixed key").build()?,
//! ])?;
//! // Later, in whatever watches the vault:
//! key.rotate(Credential::api_key("the key of tomorrow")?);
//! # Ok(())
//! # }
//! ```
//!
//! It is a handle and no method of the pool, so that what watches a vault needs to know nothing but the handle, one key
//! can serve several backends, and backends with fixed keys pay for no lock.
//!
//! # Testing your own set-up
//!
//! Give the pool a [`MockClock`](crate::MockClock), the balancer a [`SeededRng`](crate::SeededRng) and a scripted
//! transport (feature `test-util`), and time passes only when you say so:
//!
#![cfg_attr(feature = "test-util", doc = "```")]
#![cfg_attr(not(feature = "test-util"), doc = "```text")]
//! use bytes::Bytes;
//! use http::Request;
//! use lb_core::{
//!     Backend, BlockingLoadBalancer, Error, MockClock, Pool, SeededRng,
//!     test_util::{Reply, ScriptedTransport},
//! };
//! use std::time::Duration;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let clock = MockClock::new();
//! let transport = ScriptedTransport::new();
//! transport.reply("only.example", Reply::status(429).header("retry-after", "4"));
//! let pool = Pool::builder().backend(Backend::new("only.example", 1)?).clock(clock.clone()).build()?;
//! let balancer = BlockingLoadBalancer::with_parts(pool, transport, SeededRng::new(1));
//! let request = || Request::new(Bytes::new());
//!
//! match balancer.try_send(request()) {
//!     Err(Error::Exhausted(exhausted)) => assert_eq!(exhausted.retry_after(), Some(Duration::from_secs(4))),
//!     other => panic!("expected exhaustion, got {other:?}"),
//! }
//! clock.advance(Duration::from_secs(4));
//! assert_eq!(balancer.send(request())?.status(), 200);
//! # Ok(())
//! # }
//! ```
//!
//! # Limitations
//!
//! - State is per process: workers do not know of each other's cooldowns.
//! - Quota is not predicted. A backend is asked until it refuses; a refusal costs one round trip.
//! - Backends cannot be added to or removed from a running pool; build a new one and swap the balancer.
//! - A refusal inside a 200 stream is seen only where the head announces it, and not over every stack: reqwest's blocking
//!   client cannot read beside a timer. One in a 200 that is no stream is not seen.
//! - A multipart form has its model in a part, which is not replaced.
//! - All callers see a cooldown end at the same moment; there is no jitter.
//! - A bad prompt that is answered with a *credible* hint (a 503 with ten seconds) takes backends out all the same: to tell it
//!   from an overload takes the error's body, which is not read.
//! - Time is the monotonic clock's. On machines that stop it while they sleep, a cooldown lasts through the sleep.
