// Follows the colour mode that is set in the Airflow UI, which keeps it under this name; else the system's.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const chosen = localStorage.getItem("theme");
    const theme = chosen === "light" || chosen === "dark" ? chosen : dark.matches ? "dark" : "light";
    document.documentElement.dataset.theme = theme;
  };
  apply();
  addEventListener("storage", apply);
  dark.addEventListener("change", apply);
})();
