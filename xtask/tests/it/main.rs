//! The rules of the house hold, and each rule is able to fail.
#![cfg(test)]

mod tidy;
