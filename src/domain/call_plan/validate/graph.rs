//! What is wrong with the way the nodes are connected.

use super::{Code, Problem, Severity};
use crate::call_plan::nodes::Kind;
use crate::call_plan::plan::Plan;
use std::collections::BTreeMap;

/// From so many nodes in a row in which the caller neither hears nor does anything.
const TOO_MANY_SILENT: usize = 6;

/// The nodes as a graph of their places in the document.
struct Graph {
    targets: Vec<Vec<usize>>,
    silent: Vec<bool>,
}

/// Finds nodes that nothing leads to, and circles and long rows of silent nodes.
pub(super) fn check(plan: &Plan, problems: &mut Vec<Problem>) {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for (place, node) in plan.nodes.iter().enumerate() {
        places.entry(&node.id).or_insert(place);
    }
    let graph = Graph {
        targets: plan
            .nodes
            .iter()
            .map(|node| {
                node.branches
                    .values()
                    .filter_map(|target| places.get(target.as_str()).copied())
                    .collect()
            })
            .collect(),
        silent: plan
            .nodes
            .iter()
            // What can't be read has its own problem.
            .map(|node| !node.kind.is_telephony() && !matches!(node.kind, Kind::Unreadable(_)))
            .collect(),
    };
    let mut add = |severity, place: usize, code, text: &str| {
        problems.push(Problem {
            severity,
            node: plan.nodes.get(place).map(|node| node.id.clone()),
            branch: None,
            property: None,
            code,
            text: text.to_owned(),
        });
    };
    let reached = graph.reached(plan);
    let has_start = plan.start().is_some();
    for (place, node) in plan.nodes.iter().enumerate() {
        if has_start && !node.is_start() && !reached.get(place).copied().unwrap_or(false) {
            add(
                Severity::Warning,
                place,
                Code::UnreachableNode,
                "no call can come to this node",
            );
        }
    }
    let lengths = graph.silent_rows();
    for (place, length) in lengths.iter().enumerate() {
        match length {
            Row::Endless => add(
                Severity::Error,
                place,
                Code::EndlessLoop,
                "from here calls go in a circle in which the caller neither hears nor does anything",
            ),
            Row::Of(length) if *length == TOO_MANY_SILENT => add(
                Severity::Error,
                place,
                Code::TooManySilentNodes,
                "from here calls pass six nodes in a row in which the caller neither hears nor does anything",
            ),
            Row::Of(_) | Row::LeadsToCircle => {}
        }
    }
}

/// The longest row of silent nodes that begins at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row {
    /// So many nodes.
    Of(usize),
    /// The node is on a circle.
    Endless,
    /// The row comes to a circle, but the node is not on it.
    LeadsToCircle,
}

impl Graph {
    fn targets(&self, place: usize) -> &[usize] {
        self.targets.get(place).map_or(&[], Vec::as_slice)
    }

    fn silent_targets(&self, place: usize) -> impl Iterator<Item = usize> {
        let from_silent = self.is_silent(place);
        self.targets(place)
            .iter()
            .copied()
            .filter(move |target| from_silent && self.is_silent(*target))
    }

    fn is_silent(&self, place: usize) -> bool {
        self.silent.get(place).copied().unwrap_or(false)
    }

    fn reached(&self, plan: &Plan) -> Vec<bool> {
        let mut reached = vec![false; self.targets.len()];
        let mut open: Vec<usize> = plan
            .nodes
            .iter()
            .enumerate()
            .filter(|(_, node)| node.is_start())
            .map(|(place, _)| place)
            .collect();
        while let Some(place) = open.pop() {
            let Some(seen) = reached.get_mut(place) else {
                continue;
            };
            if !std::mem::replace(seen, true) {
                open.extend(self.targets(place));
            }
        }
        reached
    }

    /// Removes silent nodes from the ends of the rows until only circles and what leads to them are
    /// left, counting the rows on the way (Kahn's order, backwards).
    fn silent_rows(&self) -> Vec<Row> {
        let count = self.targets.len();
        let mut sources = vec![Vec::new(); count];
        let mut left = vec![0_usize; count];
        for place in 0..count {
            for target in self.silent_targets(place) {
                if let Some(list) = sources.get_mut(target) {
                    list.push(place);
                }
                if let Some(left) = left.get_mut(place) {
                    *left += 1;
                }
            }
        }
        let mut lengths = vec![1_usize; count];
        let mut rows = vec![Row::LeadsToCircle; count];
        let mut open: Vec<usize> = (0..count)
            .filter(|place| left.get(*place) == Some(&0))
            .collect();
        while let Some(place) = open.pop() {
            let length = lengths.get(place).copied().unwrap_or(1);
            if let Some(row) = rows.get_mut(place) {
                *row = Row::Of(if self.is_silent(place) { length } else { 0 });
            }
            for source in sources.get(place).into_iter().flatten() {
                if let Some(longest) = lengths.get_mut(*source) {
                    *longest = (*longest).max(length + 1);
                }
                if let Some(left) = left.get_mut(*source) {
                    *left -= 1;
                    if *left == 0 {
                        open.push(*source);
                    }
                }
            }
        }
        self.mark_circles(&mut rows);
        rows
    }

    /// Of what leads to a circle, only nodes that come back to themselves are on one.
    fn mark_circles(&self, rows: &mut [Row]) {
        let suspects: Vec<usize> = (0..rows.len())
            .filter(|place| rows.get(*place) == Some(&Row::LeadsToCircle))
            .collect();
        for place in suspects {
            let mut seen = vec![false; rows.len()];
            let mut open: Vec<usize> = self.silent_targets(place).collect();
            while let Some(next) = open.pop() {
                if next == place {
                    if let Some(row) = rows.get_mut(place) {
                        *row = Row::Endless;
                    }
                    break;
                }
                if let Some(seen) = seen.get_mut(next)
                    && !std::mem::replace(seen, true)
                {
                    open.extend(self.silent_targets(next));
                }
            }
        }
    }
}
