use longlag_experiments::Experiment;
use longlag_experiments::not_vanishing_is_not_enough::{
    Config, Form, Law, Lesson, NotVanishingIsNotEnough, Unit, exponent,
    gradient, lambda_of, sensitivity,
};
use longlag_numerics::random::Rng;

const FORMS: [Form; 3] = [Form::Plain, Form::Normalised, Form::Exponential];

fn near(a: f64, b: f64, relative: f64) {
    assert!((a / b - 1.0).abs() < relative, "{a} against {b}");
}

/// What is carried along is the derivative, in every form: by differences of the output.
#[test]
fn the_sensitivity_is_the_derivative() {
    for form in FORMS {
        let output = |parameter: f64| {
            let (at, mut unit) = (form.at(parameter), Unit::default());
            for t in 0..30_u32 {
                let x = std::array::from_fn(|k| f64::from(t % 7) - k as f64);
                unit.step(at.lambda, &x);
            }
            (unit.h.map(|h| at.scale * h), sensitivity(at, &unit))
        };
        let (parameter, by) = (form.parameter(0.9), 1e-5);
        near(form.at(parameter).lambda, 0.9, 1e-14);
        let (_, slope) = output(parameter);
        let [up, down] = [by, -by].map(|by| output(parameter + by).0);
        for k in 0..slope.len() {
            // The error of a central difference is of the order of its step squared.
            near((up[k] - down[k]) / (2.0 * by), slope[k], 1e-6);
        }
    }
}

/// The sums are the closed forms, and in the three forms powers 3, 2 and 0 of the memory.
#[test]
fn the_laws_agree() {
    for memory in [3.0, 30.0, 300.0] {
        let lambda = lambda_of(memory);
        let sum = Law::after((30.0 * memory) as usize, lambda);
        let law = Law::in_the_end(lambda);
        near(sum.h, law.h, 1e-12);
        near(sum.slope, law.slope, 1e-12);
        near(sum.both, law.both, 1e-12);
        let rest = 1.0 - lambda * lambda;
        let of = |form: Form| law.sensitivity(form.at(form.parameter(lambda)));
        near(of(Form::Normalised), 1.0 / (rest * rest), 1e-10);
        // (λ ln λ)² / (1 − λ²)² tends to 1/4.
        assert!((0.2..0.26).contains(&of(Form::Exponential)), "{memory}");
    }
}

/// At the teacher's memory there is no error, so no gradient; on either side it points there.
#[test]
fn the_gradient_leads_to_the_teacher() {
    let memory = 20.0;
    let lesson = Lesson { memory, steps: 200, updates: 1, in_a_row: 1 };
    for form in FORMS {
        let at = |memory: f64| {
            let parameter = form.parameter(lambda_of(memory));
            gradient(form, parameter, &lesson, &mut Rng::new(1))
        };
        assert_eq!(at(memory), 0.0);
        // ln(−ln λ) falls as λ rises.
        let sign = if form == Form::Exponential { -1.0 } else { 1.0 };
        assert!(sign * at(10.0) < 0.0 && sign * at(40.0) > 0.0, "{form:?}");
    }
}

#[test]
fn an_exponent_is_found() {
    let cube = [2.0, 3.0, 7.0].map(|x: f64| (x, 5.0 * x * x * x));
    near(exponent(&cube), 3.0, 1e-12);
}

#[test]
fn wrong_configs_are_refused() {
    let refused = |change: &dyn Fn(&mut Config)| {
        let mut config = Config::default();
        change(&mut config);
        NotVanishingIsNotEnough::check(&config).expect_err("a mistake").0
    };
    assert!(refused(&|c| c.seeds = 0).contains("`seeds` is 0"));
    assert!(refused(&|c| c.in_a_row = 301).contains("`in_a_row` is 301"));
    assert!(refused(&|c| c.memories = vec![3.0, 2.0]).contains("ascending"));
    assert!(refused(&|c| c.teachers = vec![3.0, 4.0]).contains("ten times"));
    assert!(refused(&|c| c.rates = vec![0.1, 0.1]).contains("different"));
    assert!(NotVanishingIsNotEnough::check(&Config::default()).is_ok());
}
