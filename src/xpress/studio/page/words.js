// What each action unit does, in plain words.

export const PLAIN = {
  1: "Lifts the inner ends of the brows, as in worry.",
  2: "Lifts the outer ends of the brows.",
  4: "Draws the brows down and together, as in anger.",
  5: "Lifts the upper lids: the eyes open wide.",
  6: "Lifts the cheeks, as in a hearty smile.",
  7: "Narrows the eyes.",
  9: "Wrinkles the nose, as in disgust.",
  10: "Lifts the upper lip.",
  12: "Pulls the corners of the mouth up: a smile.",
  14: "Presses dimples beside the mouth.",
  15: "Pulls the corners of the mouth down.",
  17: "Pushes the chin and the lower lip up: a pout.",
  20: "Stretches the lips sideways.",
  23: "Presses the lips together and thin.",
  25: "Parts the lips.",
  26: "Drops the jaw: the mouth opens.",
  45: "Shuts the eyes.",
};
