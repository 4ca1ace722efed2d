//! Call plans.
