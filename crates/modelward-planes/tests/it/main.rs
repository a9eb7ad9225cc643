//! The chain, the heartbeats and the follower, with a control side that is a few lines of test.

#![cfg(test)]

mod control;
mod following;
mod laws;
mod wire;
