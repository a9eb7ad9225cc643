//! Chores of the repository, run as `cargo xtask …`.
//!
//! Rule: nothing here ships. Deliberately absent: any dependency on the rooms. What is measured or probed is the
//! built program, from outside, as a stranger would.
//!
//! Start at [`tidy`].

pub mod tidy;
