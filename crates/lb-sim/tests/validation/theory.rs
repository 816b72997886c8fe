//! Closed forms, written down from the literature and from nothing in the simulator.

/// Erlang's B formula: the share of Poisson arrivals of `load` erlangs that find all `servers` busy, by its recursion.
/// It holds for every law of the service time.
pub(crate) fn erlang_b(servers: u32, load: f64) -> f64 {
    (1..=servers).fold(1.0, |b, n| load * b / (f64::from(n) + load * b))
}

/// Erlang's C formula: the share of arrivals that wait, with exponential services and an unlimited queue.
pub(crate) fn erlang_c(servers: u32, load: f64) -> f64 {
    let b = erlang_b(servers, load);
    let busy = load / f64::from(servers);
    b / (1.0 - busy + busy * b)
}

/// Mean and variance of how many overflow calls an unlimited second group has at once, if the first has `servers` and
/// is offered `load` erlangs: Wilkinson and Riordan, with `m` exact by Erlang's B.
pub(crate) fn overflow(servers: u32, load: f64) -> (f64, f64) {
    let m = load * erlang_b(servers, load);
    (m, m * (1.0 - m + load / (f64::from(servers) + 1.0 - load + m)))
}

/// The share of Poisson arrivals, `mean` per window, that a fixed window refuses above `limit`:
/// 1 - E[min(N, limit)] / mean.
pub(crate) fn fixed_window(limit: u32, mean: f64) -> f64 {
    let mut p = (-mean).exp();
    let mut accepted = 0.0;
    let mut below = p;
    for n in 1..=limit {
        p *= mean / f64::from(n);
        if n < limit {
            accepted += f64::from(n) * p;
            below += p;
        }
    }
    1.0 - (accepted + f64::from(limit) * (1.0 - below)) / mean
}

/// The share of Poisson arrivals that a bucket refuses which lets a request in while its level is below `depth`, where
/// costs are exponential, `depth` is counted in mean costs, and `r` is what is offered over what drains: an M/M/1 queue
/// of bounded workload.
pub(crate) fn leaky_bucket(r: f64, depth: f64) -> f64 {
    if r == 1.0 {
        return 1.0 / (2.0 + depth);
    }
    let e = (-(1.0 - r) * depth).exp();
    r * (1.0 - r) * e / (1.0 - r * r * e)
}

/// The same with constant costs, of which the bucket holds `depth`: as long as the level is at most `depth`, its
/// distribution is that of the unbounded M/D/1 queue (Erlang 1909) but for a factor; above, what goes up across a level
/// comes down again.
pub(crate) fn leaky_bucket_of_constant_costs(r: f64, depth: u32) -> f64 {
    let below = |level: f64| -> f64 {
        let mut factorial = 1.0;
        (0..=depth)
            .take_while(|&k| f64::from(k) <= level)
            .map(|k| {
                factorial *= f64::from(k.max(1));
                let rest = r * (level - f64::from(k));
                (-rest).powi(k.cast_signed()) / factorial * rest.exp()
            })
            .sum()
    };
    let depth = f64::from(depth);
    let steps = 10_000;
    let middle = |step: u32| depth - 1.0 + (f64::from(step) + 0.5) / f64::from(steps);
    let above: f64 = (0..steps).map(|step| r * (below(depth) - below(middle(step))) / f64::from(steps)).sum();
    above / (below(depth) + above)
}

/// How many of `workers` are refused in an episode in which `arrivals` are expected, if each learns from its own
/// refusal only: those to whom at least one of them comes.
pub(crate) fn discoveries(workers: u32, arrivals: f64) -> f64 {
    let n = f64::from(workers);
    n * (1.0 - (-arrivals / n).exp())
}

/// The same for the rest of a window of `arrivals` after its first request, which is let in: the mean of
/// [`discoveries`] over an exponential time to that request.
pub(crate) fn discoveries_after_the_first(workers: u32, arrivals: f64) -> f64 {
    let n = f64::from(workers);
    let rate = 1.0 - 1.0 / n;
    let weighted = if workers == 1 { arrivals } else { (1.0 - (-arrivals * rate).exp()) / rate };
    n * (1.0 - (-arrivals).exp() - (-arrivals / n).exp() * weighted)
}

/// The probability that a chi-square variate with two degrees of freedom is larger.
pub(crate) fn chi_square_tail_of_two(x: f64) -> f64 {
    (-x / 2.0).exp()
}

/// Pearson's statistic of counts against probabilities.
pub(crate) fn chi_square(counts: &[u64], probabilities: &[f64]) -> f64 {
    let n = counts.iter().sum::<u64>() as f64;
    counts.iter().zip(probabilities).map(|(&count, p)| (count as f64 - n * p).powi(2) / (n * p)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, printed: f64) {
        assert!((found - printed).abs() < 1e-6 * printed.abs().max(1.0), "{found} instead of {printed}");
    }

    #[test]
    fn the_forms_give_what_tables_print() {
        for (servers, load, b) in
            [(1, 0.5, 0.333_333), (10, 8.0, 0.121_661), (50, 45.0, 0.054_104), (100, 110.0, 0.136_115)]
        {
            close(erlang_b(servers, load), b);
        }
        assert!((erlang_c(10, 8.0) - 0.409_18).abs() < 5e-6);
        let (m, v) = overflow(10, 8.0);
        assert!((m - 0.9733).abs() < 5e-5 && (v - 1.9857).abs() < 5e-5, "{m} {v}");
        for (limit, mean, refused) in [(10, 8.0, 0.053_23), (10, 12.0, 0.213_63), (100, 90.0, 0.008_33)] {
            assert!((fixed_window(limit, mean) - refused).abs() < 5e-6);
        }
        for (r, depth, refused) in [(0.7, 5.0, 0.052_609), (1.0, 20.0, 0.045_455), (1.2, 20.0, 0.168_814)] {
            close(leaky_bucket(r, depth), refused);
        }
        for (workers, refused) in [(4, 3.973), (16, 11.416), (64, 17.177)] {
            assert!((discoveries(workers, 20.0) - refused).abs() < 5e-4);
        }
    }

    #[test]
    fn a_bucket_of_constant_costs_that_holds_none_is_a_loss_system_of_one_place() {
        // With a depth of zero only an empty bucket lets a request in, and it is empty again after one service.
        close(leaky_bucket_of_constant_costs(0.5, 0), erlang_b(1, 0.5));
        // Constant costs are refused less often than exponential ones of the same mean.
        assert!(leaky_bucket_of_constant_costs(0.9, 5) < leaky_bucket(0.9, 5.0));
    }

    #[test]
    fn the_mean_over_the_first_request_is_the_integral() {
        for (workers, arrivals) in [(1, 3.0), (4, 20.0), (16, 20.0)] {
            let steps = 200_000;
            let h = arrivals / f64::from(steps);
            let at = |t: f64| (-t).exp() * discoveries(workers, arrivals - t);
            let integral: f64 = (0..steps).map(|i| at((f64::from(i) + 0.5) * h) * h).sum();
            assert!((discoveries_after_the_first(workers, arrivals) - integral).abs() < 1e-6);
        }
    }

    #[test]
    fn near_a_load_of_one_the_bucket_is_continuous() {
        assert!((leaky_bucket(1.0, 20.0) - leaky_bucket(1.000_001, 20.0)).abs() < 1e-6);
    }
}
