//! One binary for all of it. What needs a solver says so where there is none, and is then no failure.

#![cfg(test)]

mod attestations;
mod differences;
mod holes;
mod idle_policies;
mod promises;
mod solvers;
mod support;
