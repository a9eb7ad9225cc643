//! The rules of the house hold, each rule is able to fail, and figures are judged as promised.
#![cfg(test)]

mod bench;
mod tidy;
