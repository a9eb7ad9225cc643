use std::time::Duration;

use super::{Answer, read_answer};

fn read(said: &str) -> Answer {
    read_answer(said, Duration::from_millis(7))
}

#[test]
fn only_the_three_answers_of_the_standard_are_understood() {
    assert_eq!(read("unsat\n(error \"no model\")\n"), Answer::Unsatisfiable);
    assert_eq!(
        read("sat\n(\n(define-fun t1 () Bool true)\n)\n"),
        Answer::Satisfiable { model: "(\n(define-fun t1 () Bool true)\n)".to_owned() }
    );
    let unknown = |said: &str| match read(said) {
        Answer::Unknown { why } => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(unknown("unknown\n"), "the solver answered that it does not know");
    assert_eq!(unknown(""), "the solver ended without an answer; its limit is 7 ms");
    assert_eq!(unknown("sat\n(error \"no\")\n"), "the solver found a violation and gave no example of it");
    assert_eq!(unknown("unsat unsat\n"), "the solver answered `unsat unsat`");
}
