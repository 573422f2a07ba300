"""The built-in tasks, rewards and data sets, each with its module. They are imported when used."""

TABLE = {
    "reward_ft": "tasks.reward_ft:RewardFt",
    "noise_schedule": "tasks.noise_schedule:NoiseSchedule",
    "sampling": "tasks.sampling:SamplingMaker",
    "replay": "tasks.replay:ReplayMaker",
    "quadratic": "tasks.quadratic:Quadratic",
    "tilted": "tasks.tilted:Tilted",
    "kinds": "tasks.kinds:Kinds",
}

REWARDS = {
    "quality": "tasks.reward_ft.embedded:quality",
    "random_head": "tasks.reward_ft.embedded:random_head",
    "head_2": "tasks.reward_ft.conflicts:head_2",
    "head_3": "tasks.reward_ft.conflicts:head_3",
    "head_4": "tasks.reward_ft.conflicts:head_4",
    "other_digit": "tasks.reward_ft.conflicts:other_digit",
    "other_ink": "tasks.reward_ft.conflicts:other_ink",
    "other_ground": "tasks.reward_ft.conflicts:other_ground",
    "bright": "tasks.reward_ft.attributes:Bright",
    "dark": "tasks.reward_ft.attributes:Dark",
    "warm": "tasks.reward_ft.attributes:Warm",
    "cool": "tasks.reward_ft.attributes:Cool",
    "vivid": "tasks.reward_ft.attributes:Vivid",
    "contrast": "tasks.reward_ft.attributes:Contrast",
    "sharp": "tasks.reward_ft.attributes:Sharp",
    "smooth": "tasks.reward_ft.attributes:Smooth",
    "resnet_head": "tasks.reward_ft.paper_rewards:ResNetHead",
    "aesthetic": "tasks.reward_ft.paper_rewards:Aesthetic",
    "hpsv2": "tasks.reward_ft.paper_rewards:HPSv2",
    "pick_score": "tasks.reward_ft.preferences:PickScore",
    "image_reward": "tasks.reward_ft.preferences:ImageReward",
}

DATA_SETS = {
    "mnist": "tasks.files.mnist:fetch_mnist",
}
