//! A map of few things: what one isolate has under way, or has been configured with. Each other map, of each pair of types, is
//! some kilobytes of every function.

pub struct Few<K, V>(Vec<(K, V)>);

impl<K: PartialEq, V> Few<K, V> {
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    pub fn iter(&self) -> impl Iterator<Item = &(K, V)> {
        self.0.iter()
    }

    /// From the end: the newest are asked for most.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.0.iter_mut().rfind(|(own, _)| own == key).map(|(_, value)| value)
    }

    /// For a key that is not there yet.
    pub fn add(&mut self, key: K, value: V) {
        self.0.push((key, value));
    }

    pub fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.0.iter().rposition(|(own, _)| own == key)?;
        Some(self.0.swap_remove(at).1)
    }

    pub fn retain(&mut self, keeps: impl Fn(&V) -> bool) {
        self.0.retain(|(_, value)| keeps(value));
    }
}

impl<K: PartialEq, V: Default> Few<K, V> {
    /// Does something with the value of a key, which is made where it is not there yet.
    pub fn with<T>(&mut self, key: K, work: impl FnOnce(&mut V) -> T) -> T {
        if let Some(value) = self.get_mut(&key) {
            return work(value);
        }
        let mut value = V::default();
        let outcome = work(&mut value);
        self.add(key, value);
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_under_a_key_is_found_under_it_until_it_is_taken() {
        let mut few = Few::new();
        for key in 1..=4 {
            few.add(key, key * 10);
        }
        few.with(5, |value| *value += 50);
        few.with(2, |value| *value += 1);
        assert_eq!((few.len(), few.get_mut(&2).copied(), few.get_mut(&5).copied()), (5, Some(21), Some(50)));
        assert_eq!((few.remove(&1), few.remove(&1), few.get_mut(&4).copied()), (Some(10), None, Some(40)));
        few.retain(|value| *value != 30);
        assert_eq!((few.get_mut(&3).copied(), few.len()), (None, 3));
        few.clear();
        assert_eq!(few.len(), 0);
    }
}
