#![cfg(test)]

mod actions;
