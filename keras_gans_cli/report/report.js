// The slider: each run shows its newest grid up to the chosen epoch. Without scripts the last grids are shown.
const slider = document.getElementById("epoch");
const runs = [...document.querySelectorAll(".grids")];
const epochOf = (picture) => Number(picture.dataset.epoch);
const epochs = [...new Set([...document.querySelectorAll("[data-epoch]")].map(epochOf))].sort((a, b) => a - b);

function show() {
  const chosen = epochs[slider.value];
  document.querySelector("output").textContent = chosen;
  slider.setAttribute("aria-valuetext", `epoch ${chosen}`);
  for (const run of runs) {
    const pictures = [...run.querySelectorAll("img")];
    if (pictures.length === 0) continue;
    const shown = pictures.filter((picture) => epochOf(picture) <= chosen).at(-1) ?? pictures[0];
    for (const picture of pictures) picture.hidden = picture !== shown;
    run.querySelector("figcaption").textContent = `${run.dataset.name}, epoch ${epochOf(shown)}`;
  }
}

if (epochs.length > 1) {
  slider.max = epochs.length - 1;
  slider.value = slider.max;
  slider.addEventListener("input", show);
  document.querySelector(".slider").hidden = false;
  show();
}
