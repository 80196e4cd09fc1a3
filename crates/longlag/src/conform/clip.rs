//! `clip`: gradients that are clipped by their norm or by value.

use super::case::{Case, Computed, Stop, Way, failed, insert, unknown};
use longlag_cells::{Dtype, StateDict, Tensor};
use longlag_optim::{clip_p_norm, clip_value, try_clip_p_norm};

pub(super) fn run(case: &Case) -> Result<Computed, Stop> {
    let options = &case.options;
    let names: Vec<&str> = case.inputs_from("grad.").collect();
    let (mut shapes, mut gradient) = (vec![], vec![]);
    for name in &names {
        let part = case.input::<f64>(name)?;
        shapes.push(part.shape().to_vec());
        gradient.extend(part);
    }
    let mut results = StateDict::default();
    match &case.kind[..] {
        "clip_grad_value_" => {
            let limit: f64 = options.get("clip_value")?;
            check_limit(limit)?;
            case.all_known()?;
            let _ = clip_value(&mut gradient, limit);
        }
        "clip_grad_norm_" => {
            let order: String = options.get("norm_type")?;
            let p: f64 = order.parse().map_err(|_| unknown(format!("norm_type = {order}")))?;
            if p.is_nan() || p <= 0.0 {
                return Err(unknown(format!("norm_type = {order}")));
            }
            let limit: f64 = options.get("max_norm")?;
            check_limit(limit)?;
            let refuse: bool = options.get("error_if_nonfinite")?;
            case.all_known()?;
            let clipped = if refuse {
                try_clip_p_norm(&mut gradient, p, limit).ok()
            } else {
                Some(clip_p_norm(&mut gradient, p, limit))
            };
            let raised = if clipped.is_none() { 1.0 } else { 0.0 };
            results.insert("raised", Tensor::new(Dtype::U8, &[], &[raised]));
            if let Some(clipped) = clipped {
                insert(&mut results, "total_norm", &[], &[clipped.norm_before]);
            }
        }
        kind => return Err(unknown(format!("the kind {kind}"))),
    }
    let mut rest = &gradient[..];
    for (name, shape) in names.iter().zip(shapes) {
        let (part, behind) = rest.split_at(shape.iter().product());
        rest = behind;
        insert(&mut results, &name.replacen("grad.", "clipped.", 1), &shape, part);
    }
    Ok(vec![Way { name: "clip", results }])
}

fn check_limit(limit: f64) -> Result<(), Stop> {
    if limit >= 0.0 { Ok(()) } else { Err(failed(format!("a limit of {limit} is below 0"))) }
}
