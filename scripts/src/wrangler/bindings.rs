//! Who is bound to whom: the gateway to every function, and every function to the objects that count.

use crate::house::Function;

/// What the gateway is bound to: a binding's name and the function behind it, for every name and every alias.
pub fn services(functions: &[Function]) -> Vec<(String, &Function)> {
    let callable = functions.iter().filter(|function| !function.is_gateway() && !function.is_durable());
    let mut services: Vec<_> =
        callable.flat_map(|function| function.names().map(move |name| (binding_of(name), function))).collect();
    services.sort_by(|a, b| a.0.cmp(&b.0));
    services
}

/// `FN_` keeps a path of the outside world from ever naming a secret.
pub fn binding_of(name: &str) -> String {
    format!("FN_{}", name.replace('-', "_").to_uppercase())
}

/// The objects that a function is bound to: a binding's name, the class, and the worker that holds it. `limits`: whether
/// anything is counted; `alone`: the platform counts no minutes either, as in a bare workerd.
pub fn objects<'a>(
    function: &Function,
    functions: &'a [Function],
    limits: bool,
    alone: bool,
) -> Vec<(&'static str, &'static str, &'a Function)> {
    let counted = function.needs_limiter() || (alone && !function.rate_limits().is_empty());
    let wanted = [("LIMITS", "Limiter", limits && counted), ("METER", "Meter", true)];
    let wanted = wanted.into_iter().filter(|(.., wanted)| *wanted && !function.is_durable());
    wanted.filter_map(|(binding, class, _)| Some((binding, class, holder(class, functions)?))).collect()
}

fn holder<'a>(class: &str, functions: &'a [Function]) -> Option<&'a Function> {
    functions.iter().find(|function| function.durable.iter().any(|held| held == class))
}
