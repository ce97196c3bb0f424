"use strict";
(function () {
  var form = document.getElementById("filter");
  if (!form) return;
  var table = document.getElementById("columns"), said = form.querySelector("output");
  var groups = Array.prototype.map.call(table.tBodies, function (body) {
    var rows = Array.prototype.map.call(body.rows, function (row) {
      return { row: row, text: row.textContent.toLowerCase(), kind: row.cells[2] ? row.cells[2].className || "k" : "" };
    });
    return { body: body, name: rows.shift().text, rows: rows };
  });
  function apply() {
    var words = form.elements.find.value.toLowerCase().split(/\s+/).filter(Boolean), kind = form.elements.kind.value;
    var shown = 0, all = 0;
    groups.forEach(function (group) {
      var any = false;
      group.rows.forEach(function (entry) {
        var text = group.name + " " + entry.text;
        var fits = (!kind || entry.kind.split(" ").indexOf(kind) >= 0) &&
          words.every(function (word) { return text.indexOf(word) >= 0; });
        entry.row.hidden = !fits;
        any = any || fits;
        all += 1;
        shown += fits ? 1 : 0;
      });
      group.body.hidden = !any && (words.length > 0 || kind !== "");
    });
    said.textContent = shown === all ? all.toLocaleString("en") + " columns" :
      shown.toLocaleString("en") + " of " + all.toLocaleString("en") + " columns";
  }
  form.addEventListener("input", apply);
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  form.hidden = false;
  apply();
})();
