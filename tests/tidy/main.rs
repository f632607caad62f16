//! House rules: what a reviewer would otherwise have to remember. Each message says what to do.

mod files;
mod functions;
mod migrations;
mod rust;
mod tree;
