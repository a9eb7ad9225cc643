#![cfg(test)]

mod actions;
mod matrix;
mod search;
