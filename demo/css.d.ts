// Style sheets that a page's script imports: esbuild puts them beside the script.
declare module "*.css";
