#![cfg(test)]

mod actions;
mod matrix;
