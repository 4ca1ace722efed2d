//! The rules of the business: accounts, numbers, call plans, applications, calls and records, without input or output.
