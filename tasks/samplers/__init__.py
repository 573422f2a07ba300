"""The built-in samplers, each with its module.

A new one is one file: a class as `tasks.samplers.protocol.Solver` describes it, here or in a
plug-in with `register_sampler("name")`. `--set TASK.sampler=name` chooses it.
"""

TABLE = {
    "ddim": "tasks.samplers.ddim:DDIM",
    "dpmpp_2m": "tasks.samplers.dpmpp_2m:DPMpp2M",
}
