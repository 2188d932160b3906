# What `make demo` shows: the whole way from a name to a ranked picture, on data that is drawn here.
set -e

step() {
    printf '\n\033[1m%s\033[0m\n\033[2m$ %s\033[0m\n' "$1" "$2"
}

mkdir -p demo

step "1. The models of the zoo" "tipr-zoo list"
tipr-zoo list

step "2. SynthPEDES, the data set that the zoo draws itself (its test split)" \
    "tipr-zoo data synth demo/synthpedes --splits test"
tipr-zoo data synth demo/synthpedes --splits test

step "3. The shipped tiny models, measured on it" \
    "tipr-zoo eval irra_tiny_synth --data demo/synthpedes --records demo/records --picture demo/search.png"
tipr-zoo eval irra_tiny_synth --data demo/synthpedes --records demo/records --picture demo/search.png
for model in fmfa_tiny_synth sen_tiny_synth; do
    printf '\n\033[2m$ %s\033[0m\n' "tipr-zoo eval $model --data demo/synthpedes --records demo/records"
    tipr-zoo eval "$model" --data demo/synthpedes --records demo/records
done

step "4. The leaderboard: what was measured here beside what the cards' records say" \
    "tipr-zoo leaderboard --dataset SynthPEDES --records demo/records"
tipr-zoo leaderboard --dataset SynthPEDES --records demo/records

person=demo/synthpedes/imgs/test/00010_0.jpg
step "5. Three quarters of a picture, restored from a sentence and from one with another colour" \
    "tipr-zoo restore sen_tiny_restoring_synth $person \"A woman in a green dress and a red hat.\" -o demo/restored.png"
tipr-zoo restore sen_tiny_restoring_synth "$person" "A woman in a green dress and a red hat." -o demo/restored.png

printf '\nThe five best pictures for six captions: demo/search.png\n'
printf 'A picture restored from words: demo/restored.png\n'
printf 'Your own pictures: tipr-zoo search irra_tiny_synth FOLDER "a man in a red jacket"\n'
