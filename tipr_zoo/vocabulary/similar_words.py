"""English words for clothes, colours and people, with plainer words that mean much the same."""

from __future__ import annotations

_TEXT = """
scarlet ruby cherry vermilion: red crimson
maroon burgundy wine: red crimson purple brown
magenta fuchsia: pink purple
salmon coral peach: pink orange
lilac lavender mauve plum: purple violet
violet: purple
purple: violet
crimson: red
rose: pink
turquoise teal aqua cyan: blue green
azure cobalt sapphire: blue sky
indigo: navy blue violet
navy: blue
lime emerald mint: green
olive: green khaki
golden gold amber: yellow mustard blond
mustard: yellow
ivory: white cream beige
cream: beige white
beige: tan khaki cream brown
khaki: beige tan
charcoal slate ash: grey gray dark
gray: grey
grey: gray
silver: grey gray
bronze chocolate coffee chestnut auburn: brown reddish
colourful multicolored multicoloured: colored colorful bright
coloured: colored
colored: coloured
shirt: t-shirt top
blouse tunic: shirt top
polo: shirt t-shirt tee
tshirt: t-shirt tee shirt
t-shirt: tee shirt
tee: t-shirt shirt
singlet: tank vest top
cardigan: sweater jumper pullover jacket
jersey: sweater pullover shirt
sweater: pullover jumper sweatshirt
pullover jumper: sweater
sweatshirt: hoodie sweater
hoodie: sweatshirt hooded
blazer: jacket coat
jacket: coat
windbreaker bomber: jacket
parka anorak raincoat trenchcoat: coat jacket
overcoat: coat
coat: overcoat jacket
waistcoat gilet: vest sleeveless
suit tuxedo: jacket blazer
gown frock robe sundress: dress
trousers: pants slacks
slacks chinos: trousers pants
pants: trousers
jeans: denim pants trousers
sweatpants joggers: pants trousers
leggings: tights pants
bermudas: shorts
miniskirt kilt: skirt
shoes: sneakers boots footwear
sneakers trainers: shoes tennis
loafers slippers footwear: shoes
flip-flops flipflops: sandals shoes
pumps stilettos: heels heeled shoes
boots: shoes
bag: handbag purse
handbag purse: bag
tote clutch pouch: handbag bag purse
satchel: messenger bag handbag
briefcase: bag case suitcase
backpack: rucksack
rucksack knapsack haversack: backpack
suitcase: trolley case
luggage baggage: suitcase trolley bag
hat: cap
cap: hat baseball
bonnet beret: hat beanie cap
fedora sombrero panama: hat brimmed
toque: beanie hat
spectacles: glasses eyeglasses
glasses: eyeglasses spectacles
sunglasses shades: glasses eyeglasses
eyeglasses: glasses
man: male guy gentleman
male guy gentleman: man
boy dude bloke fellow chap: man guy male
woman: lady female
lady female: woman
girl: woman lady
person someone somebody people human individual adult: pedestrian man woman
kid child teenager: boy girl man woman
fat obese chubby plump: heavy heavyset overweight
lean skinny slender: slim thin
pigtail ponytails: ponytail
brunet: brunette brown
blonde: blond
blond: blonde
smartphone telephone mobile: phone cell
jogging: running
strolling: walking
stands: standing
walks: walking
runs: running
striped: stripes
chequered tartan: checkered checked plaid
plaid: checked checkered
flowery floral: pattern print
"""


def _parsed(text: str) -> dict[str, tuple[str, ...]]:
    table: dict[str, tuple[str, ...]] = {}
    for line in text.strip().splitlines():
        words, _, similar = line.partition(":")
        for word in words.split():
            table[word] = tuple(other for other in similar.split() if other != word)
    return table


SIMILAR_WORDS = _parsed(_TEXT)
"""For each word, in lower case, the words that mean much the same, the nearest first."""
