use super::*;
use crate::tail::facts::Fact;

const WAIT: u64 = 10;

fn tail(sample: f64, spans: usize, traces: usize) -> Tail {
    let weight = if sample > 0.0 { (1.0 / sample).to_string() } else { String::new() };
    let terms = Terms { wait: WAIT, sample, weight, slow: 0.99, rare: 0, spans, bytes: 1_000, traces };
    Tail::new(terms)
}

fn facts(spans: &[(u128, Option<Why>)]) -> Facts {
    let fact = |&(trace, why)| Fact { trace, operation: 1, took: None, why };
    let mut facts = Facts::default();
    facts.spans.extend(spans.iter().map(fact));
    facts
}

fn ordinary(traces: &[u128]) -> Facts {
    facts(&traces.iter().map(|&trace| (trace, None)).collect::<Vec<_>>())
}

fn fates(due: &[(u64, Verdict)], spans: usize) -> Vec<(u64, Vec<Fate>)> {
    due.iter()
        .map(|(number, verdict)| (*number, (0..spans).map(|place| verdict.fate(place)).collect()))
        .collect()
}

#[test]
fn a_trace_whose_last_span_fails_stays_whole() {
    let mut tail = tail(0.0, 100, 100);
    tail.see(1, 5, &ordinary(&[1, 2]), 0);
    tail.see(2, 5, &facts(&[(1, None), (1, Some(Why::Failed))]), 9);
    assert!(tail.due(9).is_empty());
    assert_eq!(fates(&tail.due(10), 2), [(1, vec![Fate::Kept, Fate::LeftOut])]);
    assert_eq!(fates(&tail.due(19), 2), [(2, vec![Fate::Kept, Fate::Kept])]);
    let tally = tail.tally();
    assert_eq!((tally.kept[Why::Failed as usize], tally.left_out, tally.early), (1, 1, 0));
    assert_eq!((tally.kept_spans, tally.left_out_spans, tail.waiting()), (3, 1, [0; 4]));
}

#[test]
fn a_sampled_trace_stands_for_others_with_all_its_spans() {
    let mut tail = tail(0.25, 100_000, 10);
    let traces: Vec<u128> = (1..=4_000).flat_map(|trace| [trace, trace]).collect();
    tail.see(1, 5, &ordinary(&traces), 0);
    let (_, verdict) = tail.due(WAIT).remove(0);
    let stay = (0..traces.len()).filter(|&place| verdict.fate(place) == Fate::Sampled).count();
    assert!((0..traces.len()).step_by(2).all(|place| verdict.fate(place) == verdict.fate(place + 1)));
    assert_eq!(verdict.weight(), b"4");
    assert!((1_800..2_200).contains(&stay), "{stay} of 8000 spans are a quarter");
}

#[test]
fn late_spans_follow_the_decision_unless_they_matter_themselves() {
    let mut tail = tail(0.0, 100, 100);
    tail.see(1, 5, &facts(&[(1, Some(Why::Slow)), (2, None)]), 0);
    tail.due(WAIT);
    tail.see(2, 5, &ordinary(&[1, 2]), 50);
    tail.see(3, 5, &facts(&[(2, Some(Why::Failed)), (2, None)]), 51);
    let due = fates(&tail.due(70), 2);
    assert_eq!(due, [(2, vec![Fate::Kept, Fate::LeftOut]), (3, vec![Fate::Kept, Fate::Kept])]);
    assert_eq!(tail.tally().late_spans, 4);
}

#[test]
fn the_oldest_is_decided_early_when_there_is_no_room() {
    for (spans, bytes) in [(4, 1), (100, 400)] {
        let mut tail = tail(0.0, spans, 100);
        for number in 1..=3 {
            tail.see(number, bytes, &ordinary(&[u128::from(number), 77]), 0);
        }
        let due = tail.due(1);
        assert_eq!(due.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1]);
        assert_eq!((tail.tally().early, tail.waiting()[0]), (2, 2));
    }
}

#[test]
fn decisions_are_forgotten_at_last_and_chance_says_the_same_again() {
    let mut tail = tail(0.5, 1_000, 5);
    let traces: Vec<u128> = (1..=100).collect();
    for number in 1..=2 {
        tail.see(number, 5, &ordinary(&traces), number);
    }
    let due = fates(&tail.due(100), 100);
    assert_eq!(due[0].1, due[1].1);
    assert_eq!(tail.decided.get(1), None);
}

#[test]
fn a_trace_that_is_named_while_it_waits_stays() {
    let mut tail = tail(0.0, 100, 100);
    tail.see(1, 5, &ordinary(&[1, 2]), 0);
    tail.name([2, 3]);
    tail.see(2, 5, &ordinary(&[3, 4]), 1);
    let due = fates(&tail.due(100), 2);
    assert_eq!(due, [(1, vec![Fate::LeftOut, Fate::Kept]), (2, vec![Fate::Kept, Fate::LeftOut])]);
}
