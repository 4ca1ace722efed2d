//! **Set variable**: assigns a variable of the plan.
//!
//! The value is text in which other variables may stand; it is cut after 1,000 characters. A
//! variable of Global scope changes for all calls of the plan. Branch: `continue`, mandatory.

use super::{Branch, Next, NodeType};
use crate::call_plan::plan::Node;
use crate::call_plan::run::Run;
use crate::call_plan::validate::Checker;
use serde::{Deserialize, Serialize};

/// The properties of Set variable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SetVariable {
    /// The variable that is assigned.
    pub variable: String,
    /// Its new value; may be empty.
    pub value: String,
}

impl NodeType for SetVariable {
    fn branches(&self) -> Vec<Branch> {
        vec![Branch::mandatory("continue")]
    }

    fn check(&self, checker: &mut Checker<'_>) {
        if self.variable.is_empty() {
            checker.missing("variable");
        } else {
            checker.assigned("variable", &self.variable);
        }
        checker.text("value", &self.value);
    }

    fn enter(&self, _here: &Node, run: &mut Run) -> Next {
        let value = run.variables.substitute(&self.value);
        run.variables.set(&self.variable, &value);
        Next::leave("continue")
    }
}
