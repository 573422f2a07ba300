"""The built-in methods: name, and where it is. Nothing is imported before it is asked for."""

TABLE = {
    "bilevel": "methods.bilevel:Bilevel",
    "default": "methods.default:Default",
    "grid": "methods.grid_search:GridSearch",
    "random": "methods.random_search:RandomSearch",
    "bayesian": "methods.bayesian:Bayesian",
}
