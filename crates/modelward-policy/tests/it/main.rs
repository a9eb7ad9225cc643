#![cfg(test)]

mod cedar_test;
mod file;
mod gate;
mod handbook;
mod house;
mod lint;
mod parts;
mod project;
mod review;
mod scenario;
