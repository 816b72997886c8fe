//! No redirect is followed, by no client.

use futures_lite::future::block_on;
use isahc::{
    AsyncBody, HttpClient,
    config::{Configurable, RedirectPolicy},
    http::Request,
};
use lb_isahc::{Backend, IsahcTransport, Pool};

use crate::{
    FACES, post,
    server::{Server, respond},
};

#[test]
fn a_redirect_is_the_callers_to_see_even_if_client_and_request_follow_them() {
    for face in FACES {
        let trap = Server::fixed(200, "", "trapped");
        let location = format!("location: {}/\r\n", trap.url());
        let server = Server::new(move |_, stream| respond(stream, 307, &location, b""));
        let client = HttpClient::builder().redirect_policy(RedirectPolicy::Follow).auto_referer().build().unwrap();
        let pool = Pool::new([Backend::builder(server.url()).api_key("OWN").build().unwrap()]).unwrap();
        let request = post().redirect_policy(RedirectPolicy::Limit(5)).body("{}").unwrap();

        let response = face.send(pool, IsahcTransport::with_client(client.clone()), request).unwrap();

        assert_eq!(response.status(), 307);
        assert_eq!(trap.connections(), 0);
        // The same client follows it on its own.
        let request = Request::post(server.url()).body(AsyncBody::from("{}")).unwrap();
        assert_eq!(block_on(client.send_async(request)).unwrap().status(), 200);
        assert_eq!(trap.connections(), 1);
    }
}
