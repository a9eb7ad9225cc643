mod build;
mod chain;
mod checks;
mod fail_closed;
mod flood;
mod limits;
mod record;
mod streams;
