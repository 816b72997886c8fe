//! What a client or a request is configured for.

use isahc::{
    HttpClient,
    auth::{Authentication, Credentials},
    config::Configurable,
};
use lb_isahc::{Backend, IsahcTransport, Pool};

use crate::{FACES, pool, post, server::Server};

#[test]
fn a_requests_options_go_with_every_attempt() {
    for face in FACES {
        let servers = [429, 500, 200].map(|status| Server::fixed(status, "", ""));
        let request = post().title_case_headers(true).header("x-probe", "1").body("{}").unwrap();
        let response = face.send(pool(&servers), IsahcTransport::new().unwrap(), request).unwrap();
        assert_eq!(response.status(), 200);
        for server in &servers {
            let [received] = &server.requests()[..] else { panic!("one request each") };
            assert!(received.headers.iter().any(|(name, _)| name == "X-Probe"), "{received:?}");
        }
    }
}

#[test]
fn the_clients_own_authentication_does_not_go_to_a_backend_with_a_credential() {
    for face in FACES {
        let (own, callers) = (Server::fixed(429, "", ""), Server::fixed(200, "", ""));
        let client = HttpClient::builder()
            .authentication(Authentication::basic())
            .credentials(Credentials::new("user", "CALLER"))
            .build()
            .unwrap();
        let pool = Pool::new([
            Backend::builder(own.url()).api_key("OWN").build().unwrap(),
            Backend::builder(callers.url()).priority(2).forward_caller_credential().build().unwrap(),
        ]);
        face.send(pool.unwrap(), IsahcTransport::with_client(client), post().body("{}").unwrap()).unwrap();
        assert_eq!(own.requests()[0].header("authorization"), [""; 0]);
        assert_eq!(own.requests()[0].header("api-key"), ["OWN"]);
        assert_eq!(callers.requests()[0].header("authorization").len(), 1);
        assert_eq!(callers.requests()[0].header("api-key"), [""; 0]);
    }
}
