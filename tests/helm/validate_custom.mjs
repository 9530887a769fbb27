// Reads manifests (a JSON list) from standard input and prints what their models say of each: null or an error.
// node validate_custom.mjs DIRECTORY_OF_NODE_MODULES
import { pathToFileURL } from "node:url";

const packages = { "keda.sh": "@kubernetes-models/keda", "monitoring.coreos.com": "@kubernetes-models/prometheus-operator" };

let text = "";
for await (const chunk of process.stdin) text += chunk;
const answers = [];
for (const manifest of JSON.parse(text)) {
  const [group] = manifest.apiVersion.split("/");
  const file = `${process.argv[2]}/${packages[group]}/${manifest.apiVersion}/${manifest.kind}.js`;
  const { [manifest.kind]: Model } = await import(pathToFileURL(file));
  try {
    new Model(manifest).validate();
    answers.push(null);
  } catch (error) {
    answers.push(error.message);
  }
}
console.log(JSON.stringify(answers));
