use std::collections::BTreeSet;

use super::*;

fn all() -> Described {
    described().unwrap_or_else(|error| panic!("{error:#}"))
}

#[test]
fn every_function_that_can_be_called_says_what_it_reads_and_answers() {
    let described: BTreeSet<_> = all().operations.into_iter().map(|operation| operation.name).collect();
    for function in callable().unwrap() {
        let known_as = wire_of(&function).unwrap().known_as;
        for name in function.names().filter(|name| known_as.is_none_or(|known| known == *name)) {
            assert!(described.contains(name), "functions/{}/src/wire.rs does not describe {name}", function.name);
        }
    }
}

#[test]
fn every_wire_belongs_to_a_function_of_its_name() {
    let functions: BTreeSet<_> = house::functions().unwrap().into_iter().map(|function| function.name).collect();
    for wire in functions::WIRES {
        assert!(functions.contains(wire.spec.name), "functions/{}: its CONTRACT has another name", wire.spec.name);
    }
}

/// Whether every kind of value that `told` allows is one that `read` takes.
fn fits(told: &Value, read: &Value, schemas: &Schemas) -> bool {
    let kinds = |schema: &Value| -> BTreeSet<String> {
        let of = |schema: &Value| match resolve(schema, schemas).get("type") {
            Some(Value::String(kind)) => vec![kind.clone()],
            Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        branches(schema, schemas).into_iter().flat_map(of).collect()
    };
    kinds(told).is_subset(&kinds(read))
}

#[test]
fn what_clients_are_told_to_send_is_what_the_function_reads() {
    for wire in functions::WIRES {
        let Some(form) = wire.form else { continue };
        let (mut schemas, shared) = (Schemas::new(), Schemas::new());
        let mut collector = Collector { prefix: String::new(), way: Way::In, shared: &shared, into: &mut schemas };
        let (read, form) = (collector.add(wire.ask).unwrap(), collector.add(form).unwrap());
        let read = properties(&read, &schemas);
        for branch in branches(&form, &schemas) {
            for (name, told) in properties(branch, &schemas) {
                let known = read.get(&name);
                assert!(known.is_some(), "{}: Form has {name}, and Ask does not read it", wire.spec.name);
                let same = known.is_some_and(|known| fits(&told, known, &schemas));
                assert!(same, "{}: {name} is of one kind in Form and of another in Ask", wire.spec.name);
            }
        }
    }
}

#[test]
fn an_action_that_is_answered_is_one_that_can_be_asked() {
    let all = all();
    for operation in all.operations.iter().filter(|operation| operation.alias_of.is_none()) {
        let asked: BTreeSet<_> = branches(&operation.ask, &all.schemas)
            .into_iter()
            .flat_map(|branch| properties(branch, &all.schemas))
            .filter_map(|(_, property)| property.get("const").and_then(Value::as_str).map(str::to_owned))
            .collect();
        for action in operation.answers.iter().flat_map(|answer| answer.to) {
            assert!(asked.contains(*action), "{}: no form asks for {action}", operation.name);
        }
    }
}
