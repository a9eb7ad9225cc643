#![cfg(test)]

mod file;
mod house;
mod parts;
mod project;
mod review;
