//! Refusals inside a 200 stream, computed by hand.

use crate::by_hand::{ONE, TWO, every_ten_seconds};

#[test]
fn a_refusal_inside_a_200_is_no_success_and_cools_nothing() {
    let refusing = format!(
        "{ONE}hints = {{ refuse_with_200 = true }}\n\
         window = [{{ unit = \"requests\", limit = 1, length = \"25s\", phase = \"0s\" }}]"
    );
    let (clients, pool) = ("sdk = \"openai-python-3.54\"", "[pool]\npeek = false\n");
    let scene = every_ten_seconds("duration = \"29s\"", clients, &format!("{pool}{refusing}{TWO}"), "", "");
    assert_eq!(scene.of_request(1), ["10000 arrived", "10000 sent one", "10030 answered one 200", "10030 gave up 200"]);
    let class = &scene.run.classes[0];
    assert_eq!((class.offered, class.succeeded, class.refusals_in_stream), (3, 1, 2));
    assert_eq!((class.given_up.refused_in_stream, class.given_up.total(), class.sdk_retries), (2, 2, 0));
    let one = &scene.run.backends[0];
    assert_eq!((one.accepted, one.refusals_in_stream, one.throttles, one.cooling), (1, 2, 0, 0));
    assert_eq!(scene.run.backends[1].attempts, 0);
}

#[test]
fn a_refusal_inside_a_200_that_its_head_announces_fails_over_as_a_429() {
    let refusing = format!(
        "{ONE}hints = {{ refuse_with_200 = true }}\n\
         window = [{{ unit = \"requests\", limit = 1, length = \"25s\", phase = \"0s\" }}]"
    );
    let scene = |backend: &str, workload| {
        every_ten_seconds("duration = \"19s\"", "", &format!("{backend}{TWO}"), workload, "").of_request(1)[2..4]
            .to_vec()
    };
    assert_eq!(scene(&refusing, ""), ["10030 answered one 429", "10030 cooling one until 25030"]);
    // A head that says nothing is no reason to look, and what is no stream is not looked into.
    let silent = refusing.replace("= true", "= true, policy = \"none\"");
    for lines in [scene(&silent, ""), scene(&refusing, "stream = false")] {
        assert_eq!(lines, ["10030 answered one 200", "10030 gave up 200"]);
    }
}
