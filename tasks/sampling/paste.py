"""A plan as code for diffusers, and as plain values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pprint import pformat
from typing import Any

from benchmark.protocol import Use
from tasks.sampling.plan import Plan
from tasks.sampling.solvers import SOLVERS, settings

_CODE = '''\
from diffusers import {scheduler}


def sample(pipe, prompt, **more):
    """Images of a prompt as the search found best. pipe: a StableDiffusionPipeline."""
    pipe.scheduler = {scheduler}.from_config(
        pipe.scheduler.config,
{config}
    )
    return pipe(
        prompt,
{call}
        **more,
    ).images
'''
# strengths that change from call to call: diffusers has one, which a callback may set
_GUIDED = '''\
import torch
from diffusers import {scheduler}

# guidance at each call of the network; 1: none
WEIGHTS = {weights}


def sample(pipe, prompt, negative_prompt="", num_images_per_prompt=1, clip_skip=None, **more):
    """Images of a prompt as the search found best. pipe: a StableDiffusionPipeline."""
    pipe.scheduler = {scheduler}.from_config(
        pipe.scheduler.config,
{config}
    )
    words = dict(num_images_per_prompt=num_images_per_prompt, negative_prompt=negative_prompt)
    words["clip_skip"] = clip_skip
    own, empty = pipe.encode_prompt(
        prompt, pipe.device, do_classifier_free_guidance=True, **words
    )
    both = torch.cat([empty, own])

    def guide(pipe, call, t, tensors):
        weight = WEIGHTS[min(call + 1, len(WEIGHTS) - 1)]
        pipe._guidance_scale = weight
        tensors["prompt_embeds"] = both if weight > 1 else own
        return tensors

    return pipe(
        prompt,
{call}
        callback_on_step_end=guide,
        callback_on_step_end_tensor_inputs=["prompt_embeds"],
        **words,
        **more,
    ).images
'''


def values(plan: Plan) -> dict[str, Any]:
    """The scheduler's class and configuration, the call's arguments, and guidance by call."""
    known = SOLVERS[plan.solver]
    call: dict[str, Any] = (
        {"num_inference_steps": plan.steps}
        if plan.timesteps is None
        else {"timesteps": list(plan.timesteps)}
    )
    call |= {"guidance_scale": plan.weights[0], "guidance_rescale": plan.rescale}
    if known.eta:
        call["eta"] = plan.eta
    return {
        "scheduler": known.scheduler,
        "config": settings(plan),
        "call": call,
        "weights": list(plan.weights),
    }


def _arguments(found: Mapping[str, Any]) -> str:
    # texts as a formatter would leave them
    shown = {k: json.dumps(v) if isinstance(v, str) else repr(v) for k, v in found.items()}
    return "\n".join(f"        {key}={value}," for key, value in shown.items())


def use(plan: Plan) -> Use:
    """Code with a function `sample(pipe, prompt)`, and its values."""
    found = values(plan)
    text = _CODE if len(set(plan.weights)) == 1 else _GUIDED
    code = text.format(
        scheduler=found["scheduler"],
        config=_arguments(found["config"]),
        call=_arguments(found["call"]),
        weights=pformat(found["weights"], width=96, compact=True),
    )
    return Use(code, json.loads(json.dumps(found)))
