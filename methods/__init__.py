"""The built-in methods: name, and where it is. Nothing is imported before it is asked for.

A method's place decides its colour in every picture, so a new one is put at the end.
"""

TABLE = {
    "bilevel": "methods.bilevel:Bilevel",
    "random": "methods.random_search:RandomSearch",
    "default": "methods.default:Default",
    "grid": "methods.grid_search:GridSearch",
    "bayesian": "methods.bayesian:Bayesian",
    "gp": "methods.optuna_gp:GP",
    "tpe": "methods.optuna_tpe:TPE",
    "cmaes": "methods.optuna_cmaes:CMAES",
    "hyperband": "methods.hyperband:Hyperband",
    "asha": "methods.asha:Asha",
    "successive_halving": "methods.successive_halving:SuccessiveHalving",
    "pbt": "methods.pbt:Pbt",
    "freeze_thaw": "methods.freeze_thaw:FreezeThaw",
    "qmc": "methods.optuna_qmc:QMC",
    "t1t2": "methods.hypergradients.t1t2:T1T2",
    "neumann": "methods.hypergradients.neumann:Neumann",
    "cg": "methods.hypergradients.cg:ConjugateGradients",
    "unrolled": "methods.hypergradients.unrolled:Unrolled",
    "f2sa": "methods.hypergradients.f2sa:F2SA",
    "es": "methods.hypergradients.es:EvolutionStrategy",
    "design": "methods.design:Design",
    "optuna": "methods.optuna_sampler:OptunaSampler",
}
