//! From a value to a place, and where an axis is marked.

/// A stretch of values on a stretch of the sheet.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    pub low: f64,
    pub high: f64,
    pub is_log: bool,
    pub from: f64,
    pub to: f64,
}

impl Scale {
    pub fn at(&self, value: f64) -> f64 {
        let place = |value: f64| if self.is_log { value.max(f64::MIN_POSITIVE).log10() } else { value };
        let (low, high) = (place(self.low), place(self.high));
        let share = if high > low { (place(value) - low) / (high - low) } else { 0.5 };
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }
}

/// Round steps from zero to at least `most`: about as many as `wished`, the last one not below it.
pub fn steps(most: f64, wished: f64) -> Vec<f64> {
    if most.is_nan() || most <= 0.0 {
        return vec![0.0, 1.0];
    }
    let rough = most / wished;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|step| *step >= rough * 0.999);
    let step = step.unwrap_or(10.0 * power);
    let mut ticks = vec![0.0];
    let mut count = 0.0;
    while ticks.last().is_some_and(|last| *last < most * 0.9999) {
        count += 1.0;
        ticks.push(step * count);
    }
    ticks
}

/// Powers of ten around all of it; where they would be few, their doubles and fivefolds too.
pub fn decades(least: f64, most: f64) -> Vec<f64> {
    let (least, most) = (least.max(1e-6), most.max(1e-6));
    let factors: &[f64] = if most / least < 60.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let mut all = Vec::new();
    for power in -6..=15 {
        all.extend(factors.iter().map(|factor| factor * 10f64.powi(power)));
    }
    let first = all.iter().rposition(|tick| *tick <= least * 1.0001).unwrap_or(0);
    let last = all.iter().position(|tick| *tick >= most * 0.9999).unwrap_or(all.len() - 1);
    if first == last { all[first.saturating_sub(1)..=last].to_vec() } else { all[first..=last].to_vec() }
}
